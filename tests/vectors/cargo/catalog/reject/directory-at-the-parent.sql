UPDATE files SET path = CAST('../zz' AS BLOB) WHERE kind = 'directory' AND path = x'7a7a';
