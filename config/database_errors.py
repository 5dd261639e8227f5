"""What the database raises in the middle of a request, as one of the project's errors."""

from __future__ import annotations

import logging

from django.db import IntegrityError
from django.utils.translation import gettext as _

from config.crew import DATABASE_AWAY
from config.errors import Conflict, SpanwiseError, Unavailable

log = logging.getLogger(__name__)

_FOREIGN_KEY_VIOLATION = "23503"


def as_ours(error: Exception) -> SpanwiseError | None:
    """None for what is a mistake of ours."""
    if isinstance(error, DATABASE_AWAY):  # it restarts, or others hold what this needs; the request is well
        log.warning("The database is away: %s", error)
        return Unavailable(_("The database cannot be reached right now. Try again."))
    if isinstance(error, IntegrityError) and _is_of_a_foreign_key(error):
        # It is asked at the end of a transaction, so whoever deletes a row may come after all that was checked.
        log.warning("Something was deleted that a change needs: %s", error)
        return Conflict(_("Something that this needs was deleted at the same moment. Load it again."))
    return None


def _is_of_a_foreign_key(error: IntegrityError) -> bool:
    state = getattr(error.__cause__, "sqlstate", None)
    return state == _FOREIGN_KEY_VIOLATION or str(error) == "FOREIGN KEY constraint failed"
