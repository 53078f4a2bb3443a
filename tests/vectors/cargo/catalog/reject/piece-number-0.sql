UPDATE pieces SET number = 0 WHERE id = 1;
