UPDATE pieces SET file_offset = file_offset + 1 WHERE number = 2;
