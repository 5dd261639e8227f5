"""What can be done: one function a change, one module a noun."""
