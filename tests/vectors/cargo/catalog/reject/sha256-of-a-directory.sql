UPDATE files SET sha256 = printf('%064d', 0) WHERE kind = 'directory';
