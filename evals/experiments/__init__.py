"""Experiments: taking up what clients tell of theirs, running those of people, comparing them all."""
