"""How the bodies of the public API look, for its document."""
