"""Pages of experiments that this server runs: what is to be run, and how far it is."""
