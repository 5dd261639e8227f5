"""Judges: what they are asked, what they may answer, and how they come to judge."""
