UPDATE pieces SET file = 999 WHERE id = 1;
