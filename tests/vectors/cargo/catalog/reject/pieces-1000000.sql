UPDATE pieces SET count = 1000000 WHERE count > 1;
