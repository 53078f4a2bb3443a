UPDATE files SET sparse = 2 WHERE kind = 'file';
