"""Stored observations priced again, as if they came in now: after prices changed, history can follow.

Rows are rewritten under the lock that merging takes, as the next version of themselves: what a client sends later still
replaces them, and what was being written meanwhile is neither lost nor doubled. Costs that clients sent stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from sqlalchemy import ColumnElement, or_

from accounts.access import ProjectScope
from tracing.analytics import functions as fn
from tracing.analytics import store, tables
from tracing.analytics.records import ZERO, Level, Observation
from tracing.ingest import enrich, write
from tracing.pricing import Catalogue, catalogue_for

o = tables.observations.c

Key = tuple[datetime, str, str]

_KEY = ("start_time", "trace_id", "id")
#: what prices are computed from, without the text, and what comes of it
_SENT = ("model", "model_parameters", "metadata", "level", "provided_usage", "provided_cost")
_PRICED = (
    "model_id",
    "pricing_tier_id",
    "pricing_tier_name",
    "usage",
    "cost",
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "input_cost",
    "output_cost",
    "total_cost",
)
_COLUMNS = tuple(o[name] for name in ("project_id", *_KEY, *_SENT, *_PRICED))
#: bytes of text that are in memory at once
_PORTION_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Repricing:
    """Which observations: those that began in this time, of these model names (all when none are named)."""

    since: datetime | None = None
    until: datetime | None = None
    names: tuple[str, ...] = ()
    #: only rows that were written after this (microseconds), whenever they began
    written_after: int = 0

    def where(self) -> list[ColumnElement[bool]]:
        conditions: list[ColumnElement[bool]] = [or_(o.model != "", o.total_tokens > 0)]
        if self.since is not None:
            conditions.append(o.start_time >= self.since)
        if self.until is not None:
            conditions.append(o.start_time < self.until)
        if self.names:
            conditions.append(o.model.in_(list(self.names)))
        if self.written_after:
            conditions.append(o.row_version >= self.written_after)
        return conditions


@dataclass(slots=True)
class Sums:
    """Calls and what they cost before and after; `unchanged` is the cost of those that stay as they are."""

    looked_at: int = 0
    changed: int = 0
    before: Decimal = ZERO
    after: Decimal = ZERO
    unchanged: Decimal = ZERO


@dataclass(slots=True)
class Account:
    """What comes of some observations, by model name."""

    by_model: dict[str, Sums] = field(default_factory=dict)

    def add(self, old: Observation, new: Observation) -> None:
        sums = self.by_model.setdefault(old.model, Sums())
        sums.looked_at += 1
        sums.before += old.total_cost
        sums.after += new.total_cost
        if _is_changed(old, new):
            sums.changed += 1
        else:
            sums.unchanged += old.total_cost


def next_rows(
    scope: ProjectScope, wanted: Repricing, after: Key | None, *, limit: int, until: Key | None = None
) -> list[Observation]:
    """The next observations by time, without their text; up to `until`, that one included."""
    where = wanted.where()
    if until is not None:
        where.append(o.start_time <= until[0])
    rows = store.newest(
        scope,
        tables.observations,
        *_COLUMNS,
        where=where,
        limit=limit,
        before=after,
        oldest_first=True,
        tag="reprice",
        is_anew=True,
    )
    found = [Observation(**dict(zip((c.name for c in _COLUMNS), row[: len(_COLUMNS)], strict=True))) for row in rows]
    return [row for row in found if until is None or key_of(row) <= until]


def newest_rows(scope: ProjectScope, wanted: Repricing, *, limit: int) -> list[Observation]:
    """A sample of what `wanted` means, without the text."""
    rows = store.newest(scope, tables.observations, *_COLUMNS, where=wanted.where(), limit=limit, tag="reprice-sample")
    return [Observation(**dict(zip((c.name for c in _COLUMNS), row[: len(_COLUMNS)], strict=True))) for row in rows]


def key_of(row: Observation) -> Key:
    return row.start_time, row.trace_id, row.id


def reprice(scope: ProjectScope, rows: Sequence[Observation], *, before_writing: Callable[[Account], None]) -> None:
    """Writes those of the rows anew whose price has changed. `before_writing` gets the account of all of them first, so
    that whoever is killed between the two knows what was about to be done. Doing it again changes nothing more.

    Raises Unavailable when a store is away or workers do not give up the lock.
    """
    catalogue = catalogue_for(scope.project_id)
    open_keys = {
        key_of(row) for row in rows if _needs_text(row, catalogue) or _is_changed(row, _priced(row, catalogue))
    }
    account = Account()
    for row in rows:
        if key_of(row) not in open_keys:
            account.add(row, row)
    if not open_keys:
        before_writing(account)
        return
    with write.project_lock(scope.project_id):
        changed: list[Key] = []
        for stored in _whole(scope, open_keys):
            new = _priced(stored, catalogue)
            account.add(stored, new)
            if _is_changed(stored, new):
                changed.append(key_of(stored))
        before_writing(account)
        for portion in _portions(scope, changed):
            news = [_next_version(_priced(stored, catalogue), stored) for stored in _read(scope, portion)]
            store.insert(observations=news)


def must_be_counted(row: Observation, catalogue: Catalogue) -> bool:
    """Whether its tokens will be counted, and are not known from an earlier count by the same definition."""
    if not _needs_text(row, catalogue):
        return False
    model = catalogue.match(row.model, row.start_time)
    return not row.usage or model is None or row.model_id != model.id


def _needs_text(row: Observation, catalogue: Catalogue) -> bool:
    """Whether its tokens are counted here, of the text."""
    if row.provided_usage or row.provided_cost or row.level == Level.ERROR or not row.model:
        return False
    model = catalogue.match(row.model, row.start_time)
    return model is not None and bool(model.tokenizer)


def _priced(row: Observation, catalogue: Catalogue) -> Observation:
    new = replace(row)
    enrich.price(new, catalogue)
    return new


def _is_changed(old: Observation, new: Observation) -> bool:
    return any(getattr(old, name) != getattr(new, name) for name in _PRICED)


def _next_version(new: Observation, old: Observation) -> Observation:
    """Newer than what is stored and older than whatever a client sends next."""
    new.row_version = old.row_version + 1
    return new


def _whole(scope: ProjectScope, keys: Iterable[Key]) -> Iterator[Observation]:
    for portion in _portions(scope, sorted(keys)):
        yield from _read(scope, portion)


def _portions(scope: ProjectScope, keys: Sequence[Key]) -> Iterator[list[Key]]:
    """Keys whose texts fit into memory together."""
    if not keys:
        return
    columns = (*(o[name] for name in _KEY), (fn.text_length(o.input) + fn.text_length(o.output)).label("length"))
    query = store.select(scope, tables.observations, *columns).where(*_among(keys))
    lengths = {tuple(row[:3]): row.length for row in store.rows(scope, query, tag="reprice-sizes", is_anew=True)}
    portion: list[Key] = []
    size = 0
    for key in keys:
        length = 2 * lengths.get(key, 0) + 4096
        if portion and size + length > _PORTION_BYTES:
            yield portion
            portion, size = [], 0
        portion.append(key)
        size += length
    yield portion


def _read(scope: ProjectScope, keys: Sequence[Key]) -> list[Observation]:
    query = store.select(scope, tables.observations).where(*_among(keys))
    wanted = set(keys)
    found = store.records(scope, Observation, query, tag="reprice-rows", is_anew=True)
    return [row for row in found if key_of(row) in wanted]


def _among(keys: Sequence[Key]) -> list[ColumnElement[bool]]:
    times, traces, ids = (sorted(set(part)) for part in zip(*keys, strict=True))
    return [o.start_time.in_(times), o.trace_id.in_(traces), o.id.in_(ids)]
