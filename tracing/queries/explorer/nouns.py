"""What is listed and asked for in the query language."""

from __future__ import annotations

from enum import StrEnum


class Noun(StrEnum):
    TRACES = "traces"
    OBSERVATIONS = "observations"
    #: groups of traces: their lists are in `queries.groups`
    SESSIONS = "sessions"
    USERS = "users"
