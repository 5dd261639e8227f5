"""What datasets hold: the schemas it fits, the files it names, how it is read from files and written to them."""
