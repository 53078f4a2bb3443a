"""Training programs that packtrain brings along; each folder is a whole program, to be copied and changed."""
