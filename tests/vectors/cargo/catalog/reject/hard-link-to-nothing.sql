UPDATE files SET link = CAST('/etc/passwd' AS BLOB) WHERE kind = 'hardlink' AND id NOT IN (SELECT file FROM pieces);
