"""What a playground is made of, and how its windows become calls."""
