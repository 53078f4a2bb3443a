UPDATE files SET bytes = -1 WHERE id = 2;
