DROP INDEX pieces_of_file;
