INSERT INTO xattrs SELECT id, CAST('trusted.overlay' AS BLOB), x'31' FROM files WHERE kind = 'file';
