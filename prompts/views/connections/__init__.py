"""Settings of a project: LLM connections."""
