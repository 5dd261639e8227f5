"""Pages of scores: the list with its filters, and one or two of them looked at closely."""
