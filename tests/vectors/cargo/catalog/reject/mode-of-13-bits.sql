UPDATE files SET mode = mode + 32768;
