UPDATE files SET link = x'61' WHERE kind = 'file';
