UPDATE files SET sha256 = upper(sha256);
