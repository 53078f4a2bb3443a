"""What turns samples into weights and weights into results: the loader, programs, the kit, and the export."""
