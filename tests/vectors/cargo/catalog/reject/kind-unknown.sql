UPDATE files SET kind = 'device' WHERE id = 2;
