"""What of a record is not for whoever merely has the link of an open trace: whose it was, and who judged it.

A scope without a role is a stranger's. Everything here leaves records as they are for everybody else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

from accounts.access import ProjectScope
from accounts.roles import Role
from tracing.analytics.records import Observation, Score, ScoreType, Trace

_Record = TypeVar("_Record", Trace, Observation)
#: how attributes end that name a person or a session: `user.id`, `langfuse_session_id`, `enduser.id`, `user.email`
_WHOSE = ("userid", "sessionid", "useremail", "username", "userfullname", "userhash", "enduserpseudoid")


def is_stranger(scope: ProjectScope) -> bool:
    return scope.role is Role.NONE


def for_reader(scope: ProjectScope, record: _Record) -> _Record:
    """Without the ids of user and session, as fields and where instrumentation repeats them as attributes."""
    if not is_stranger(scope):
        return record
    ids = {record.user_id, record.session_id} - {""}
    return replace(record, user_id="", session_id="", metadata=without_whose(record.metadata, ids))


def without_whose(metadata: dict[str, str], ids: Iterable[str] = ()) -> dict[str, str]:
    known = set(ids)
    return {key: value for key, value in metadata.items() if not _names_whose(key) and value not in known}


def _names_whose(key: str) -> bool:
    plain = key.lower().replace(".", "").replace("_", "").replace("-", "")
    return plain.endswith(_WHOSE)


def scores_for_reader(scope: ProjectScope, found: list[Score]) -> list[Score]:
    """Judgements without their authors. Ids are left out as well, by which scores are changed; so are corrections."""
    if not is_stranger(scope):
        return found
    return [
        replace(score, id="", author_user_id="", session_id="", queue_id="", config_id="", execution_trace_id="")
        for score in found
        if score.data_type != ScoreType.CORRECTION
    ]
