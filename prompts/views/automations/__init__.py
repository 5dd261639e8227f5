"""Settings of a project: automations on changes of prompts."""
