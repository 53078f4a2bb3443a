UPDATE pieces SET number = 2 WHERE id = 1;
