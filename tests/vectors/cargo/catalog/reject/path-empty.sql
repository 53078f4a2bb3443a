UPDATE files SET path = x'' WHERE id = 2;
