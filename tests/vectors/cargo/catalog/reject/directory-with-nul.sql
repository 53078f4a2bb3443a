UPDATE files SET path = x'7a7a00' WHERE kind = 'directory' AND path = x'7a7a';
