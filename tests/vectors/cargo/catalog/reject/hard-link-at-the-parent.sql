UPDATE files SET path = CAST('../x' AS BLOB) WHERE kind = 'hardlink' AND id NOT IN (SELECT file FROM pieces);
