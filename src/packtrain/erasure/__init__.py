"""Reed-Solomon over the volumes of a stripe, and the placement of drives in groups that it is to survive."""
