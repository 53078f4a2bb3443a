UPDATE files SET kind = CAST(x'ff' AS TEXT) WHERE id = 2;
