"""Playgrounds: pages and fragments (`pages`), and what their scripts and forms ask for (`data`)."""
