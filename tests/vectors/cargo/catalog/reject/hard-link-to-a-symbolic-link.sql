UPDATE files SET link = CAST('zz/link' AS BLOB) WHERE kind = 'hardlink' AND id NOT IN (SELECT file FROM pieces);
