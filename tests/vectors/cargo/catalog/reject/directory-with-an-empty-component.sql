UPDATE files SET path = CAST('a//zz' AS BLOB) WHERE kind = 'directory' AND path = x'7a7a';
