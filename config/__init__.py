"""Settings, URLs, the task queue and what every page and endpoint shares.

Kept free of imports: the supervisor lives in this package and must stay small.
"""

__version__ = "0.1.0"
