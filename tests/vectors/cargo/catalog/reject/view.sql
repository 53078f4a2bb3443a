DROP TABLE xattrs; CREATE VIEW xattrs AS SELECT 1 AS file, x'' AS name, x'' AS value;
