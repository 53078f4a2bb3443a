UPDATE files SET sparse = 1 WHERE kind = 'directory';
