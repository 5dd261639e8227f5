"""Pages of datasets: the list, one dataset, its items, files in and out, and what traces give."""
