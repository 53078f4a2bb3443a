INSERT INTO xattrs SELECT id, CAST('user.a' AS BLOB), x'31' FROM files WHERE kind = 'symlink';
