UPDATE files SET link = NULL WHERE kind = 'symlink';
