UPDATE files SET bytes = 1 WHERE kind = 'directory';
