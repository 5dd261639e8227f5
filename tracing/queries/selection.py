"""What was selected in a list: some rows one by one, or all that its filters match."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from accounts.access import ProjectScope
from config.errors import Invalid
from tracing.queries.explorer.language import parse
from tracing.queries.explorer.listing import count
from tracing.queries.explorer.nouns import Noun
from tracing.queries.explorer.rows import Counted
from tracing.queries.explorer.walk import each_batch
from tracing.queries.explorer.wanted import Sort, Wanted
from tracing.queries.periods import Period

#: rows chosen one by one
MOST_IDS = 10_000
#: beyond this it is said that there are at least so many
COUNTED_AT_MOST = 10_000


@dataclass(frozen=True, slots=True)
class RowId:
    """Names a row: of a trace both ids are its own."""

    trace_id: str
    id: str


@dataclass(frozen=True, slots=True)
class Selection:
    """`wanted` is None where rows were chosen one by one."""

    noun: Noun
    ids: tuple[RowId, ...] = ()
    wanted: Wanted | None = None

    @classmethod
    def all_of(cls, wanted: Wanted) -> Selection:
        """All that match now. Raises Invalid where not all of the query was understood: it would be too many.

        The newest first, from fixed times on: what is done to many is seen from the top of the list.
        """
        if wanted.query.problems:
            raise Invalid(_("The filter has a mistake: %(problem)s") % {"problem": wanted.query.problems[0].message})
        period = Period.between(wanted.period.since, wanted.period.until)
        return cls(wanted.noun, (), replace(wanted, period=period, sort=Sort(), before=""))

    @property
    def trace_ids(self) -> list[str]:
        return list(dict.fromkeys(one.trace_id for one in self.ids))

    def as_json(self) -> dict[str, Any]:
        """For the parameters of a job; `from_json` reads it."""
        if self.wanted is None:
            return {"noun": self.noun.value, "ids": [[one.trace_id, one.id] for one in self.ids]}
        period = self.wanted.period
        return {
            "noun": self.noun.value,
            "query": self.wanted.query.text,
            "environments": list(self.wanted.environments),
            "since": period.since.isoformat() if period.since else None,
            "until": period.until.isoformat() if period.until else None,
        }

    @classmethod
    def from_json(cls, said: dict[str, Any]) -> Selection:
        noun = Noun(said["noun"])
        if "ids" in said:
            return cls(noun, tuple(RowId(*one) for one in said["ids"]))
        period = Period.between(_moment(said["since"]), _moment(said["until"]))
        query = parse(said["query"], noun)
        return cls.all_of(Wanted(noun, query, period, tuple(said["environments"])))


def count_selected(scope: ProjectScope, selection: Selection, *, at_most: int = COUNTED_AT_MOST) -> Counted:
    if selection.wanted is None:
        return Counted(len(selection.ids), True)
    return count(scope, selection.wanted, at_most=at_most)


def next_selected(
    scope: ProjectScope, selection: Selection, cursor: str, *, size: int
) -> tuple[list[RowId], str] | None:
    """The rows from `cursor` ("" at first) on, and the cursor behind them; None when there are no more."""
    if selection.wanted is None:
        start = int(cursor or 0)
        ids = list(selection.ids[start : start + size])
        return (ids, str(start + len(ids))) if ids else None
    for batch in each_batch(scope, replace(selection.wanted, before=cursor), size=size, with_rows=False):
        return [RowId(key.trace_id, key.id) for key in batch.keys], batch.cursor
    return None


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
