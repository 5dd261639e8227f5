"""Settings, URLs, the task queue and what every page and endpoint shares."""

__version__ = "0.1.0"
