DELETE FROM pieces WHERE number > 1 AND number = count;
