UPDATE pieces SET file_offset = -1 WHERE id = 1;
