UPDATE files SET path = CAST('/tmp/zz' AS BLOB) WHERE kind = 'directory' AND path = x'7a7a';
