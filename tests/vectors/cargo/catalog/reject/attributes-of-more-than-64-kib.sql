INSERT INTO xattrs SELECT id, CAST('user.big' AS BLOB), zeroblob(66000) FROM files WHERE id = 2;
