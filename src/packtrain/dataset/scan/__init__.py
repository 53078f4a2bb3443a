"""The data scan: what the cells of tables look like, by form and checksum. It counts; it keeps and shows no value."""
