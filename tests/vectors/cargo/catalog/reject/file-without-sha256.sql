UPDATE files SET sha256 = NULL WHERE kind = 'file' AND id = 2;
