"""What every room's part of the public API is built of: views and keys, bodies in, answers out, and the document."""
