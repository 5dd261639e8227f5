"""What any backend may raise besides `Unavailable` and `TooExpensive` themselves."""

from __future__ import annotations

from config.errors import TooExpensive, Unavailable

TOO_EXPENSIVE = "This asks for more data than one query may read. Narrow the time range or add a filter."
UNAVAILABLE = "The analytics store cannot do this right now."
AWAY = "The analytics store cannot be reached right now."
NO_ROOM = "The analytics store has no room for this right now."


class StoreAway(Unavailable):
    """The analytics store is not there, or has no memory for this; the statement itself may be the reason."""


class TooOld(Exception):
    """A server that lacks what the schema or the queries need: waiting does not help."""


class OutOfMemory(TooExpensive):
    """A query came to the end of what memory it may have."""
