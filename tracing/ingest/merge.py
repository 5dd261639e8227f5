"""What arrives about one trace, observation or score, in any order and more than once, becomes one record.

Of a trace each field remembers the time of the event it was set by, so any order and any batching of the same
updates gives the same record. Observations and scores have no such memory; their rules are in `merge_observation`
and `merge_score`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import copy
from dataclasses import replace
from datetime import datetime
from typing import Any

from tracing.analytics.records import NEVER, Score, Trace
from tracing.ingest.clock import microseconds
from tracing.ingest.environment import DEFAULT
from tracing.ingest.merge_observations import merge_observation as merge_observation
from tracing.ingest.merge_observations import observation_update as observation_update
from tracing.ingest.model import TraceUpdate
from tracing.ingest.text import preview

#: belong together: those of the earliest root
_ROOT_FIELDS = frozenset({"root_id", "root_type", "input_preview", "output_preview"})
_PREVIEW_OF = {"input": "input_preview", "output": "output_preview"}
# Keys of Trace.set_at that are no fields: start and event time of the root that the trace shows.
_ROOT_START = "root"
_ROOT_AT = "root_at"
# What a person chose about a field or a tag, with the time of the choice: telemetry leaves it alone from then on.
_CHOSEN = "person."
_CHOSEN_TAG = "person.tag."
_CHOSEN_BY_PEOPLE = frozenset({"bookmarked", "public"})


def merge_traces(stored: dict[str, Trace], updates: Iterable[TraceUpdate], now: datetime) -> list[Trace]:
    """Rows to write: the traces that changed, and before each that moved in time a tombstone of its old row."""
    merges: dict[str, _TraceMerge] = {}
    for update in updates:
        merge = merges.get(update.trace_id)
        if merge is None:
            merges[update.trace_id] = merge = _TraceMerge(stored.get(update.trace_id), update)
        merge.add(update)
    version = microseconds(now)
    return [row for merge in merges.values() for row in merge.rows(now, version)]


def without_root(trace: Trace, now: datetime) -> Trace:
    """A trace whose root was deleted, and with it the beginnings of texts that only the root had."""
    set_at = {key: at for key, at in trace.set_at.items() if key not in (_ROOT_START, _ROOT_AT)}
    return replace(
        trace,
        root_id="",
        root_type="",
        input_preview=preview(trace.input) if trace.input else "",
        output_preview=preview(trace.output) if trace.output else "",
        set_at=set_at,
        updated_at=now,
        row_version=max(microseconds(now), trace.row_version + 1),
    )


class _TraceMerge:
    """One trace under merge. Updates are as many as spans, so this code is kept flat."""

    __slots__ = ("changed", "stored", "tags", "trace")

    def __init__(self, stored: Trace | None, first: TraceUpdate) -> None:
        self.stored = stored
        self.changed = stored is None
        if stored is None:
            self.trace = Trace(
                project_id=first.project_id,
                id=first.trace_id,
                timestamp=first.timestamp,
            )
        else:
            self.trace = copy(stored)
            self.trace.set_at = dict(stored.set_at)
            self.trace.metadata = dict(stored.metadata)
        self.tags = set(self.trace.tags)

    def add(self, update: TraceUpdate) -> None:
        trace = self.trace
        if update.timestamp < trace.timestamp:
            trace.timestamp = update.timestamp
            self.changed = True
        start = update.start
        if start is not None and not trace.first_start <= start <= trace.last_start:
            self._widen(start)
        if update.fields:
            self._set_fields(update)
        if update.is_by_person:
            self._choose_tags(update)
        elif update.tags and not self.tags.issuperset(update.tags):
            self._add_tags(update.tags)
        if update.metadata:
            self._set_metadata(update)

    def rows(self, now: datetime, version: int) -> Iterator[Trace]:
        if not self.changed:
            return
        trace, stored = self.trace, self.stored
        trace.tags = sorted(self.tags)
        trace.updated_at = now
        trace.row_version = version
        if stored is None:
            trace.created_at = now
        else:
            trace.row_version = max(version, stored.row_version + 1)
            if stored.timestamp != trace.timestamp:
                yield Trace(
                    project_id=stored.project_id,
                    id=stored.id,
                    timestamp=stored.timestamp,
                    row_version=trace.row_version,
                    is_deleted=True,
                )
        yield trace

    def _widen(self, start: datetime) -> None:
        trace = self.trace
        is_first = trace.last_start == NEVER
        if is_first or start < trace.first_start:
            trace.first_start = start
        if is_first or start > trace.last_start:
            trace.last_start = start
        self.changed = True

    def _set_fields(self, update: TraceUpdate) -> None:
        at = microseconds(update.at)
        fields = update.fields
        for name, value in fields.items():
            if name == "environment":
                self._set_environment(value, at)
            elif name in _ROOT_FIELDS or (name in _CHOSEN_BY_PEOPLE and self._is_chosen(name, update)):
                continue
            elif self._is_newer(name, getattr(self.trace, name), value, at):
                setattr(self.trace, name, value)
                if name in _PREVIEW_OF:
                    setattr(self.trace, _PREVIEW_OF[name], preview(value))
        if fields.get("root_id"):
            self._set_root(update, at)

    def _is_chosen(self, name: str, update: TraceUpdate) -> bool:
        """Whether this field is a person's, by now or by this update, which then is done with."""
        key = f"{_CHOSEN}{name}"
        if not update.is_by_person:
            return key in self.trace.set_at
        value = update.fields[name]
        if self._is_later_choice(key, microseconds(update.at), value, getattr(self.trace, name)):
            setattr(self.trace, name, value)
        return True

    def _choose_tags(self, update: TraceUpdate) -> None:
        at = microseconds(update.at)
        for tags, is_there in ((update.removed_tags, False), (update.tags, True)):
            for tag in tags:
                if self._is_later_choice(f"{_CHOSEN_TAG}{tag}", at, is_there, tag in self.tags):
                    (self.tags.add if is_there else self.tags.discard)(tag)

    def _is_later_choice(self, key: str, at: int, value: bool, current: bool) -> bool:
        """Whether a choice replaces the one before; if so, its time is noted. Of two at one time, yes counts."""
        known = self.trace.set_at.get(key)
        if known is not None and (at, value) <= (known, current):
            return False
        self.trace.set_at[key] = at
        self.changed = True
        return True

    def _add_tags(self, tags: Iterable[str]) -> None:
        """Spans and events repeat the tags that they were started with: what a person took away stays away."""
        added = {tag for tag in tags if tag not in self.tags and f"{_CHOSEN_TAG}{tag}" not in self.trace.set_at}
        if added:
            self.tags.update(added)
            self.changed = True

    def _is_newer(self, key: str, current: Any, value: Any, at: int) -> bool:
        """Whether a value replaces the current one; if so, its time is noted. The greater value decides a tie."""
        set_at = self.trace.set_at
        known = set_at.get(key)
        if known is not None and (at < known or (at == known and value <= current)):
            return False
        set_at[key] = at
        self.changed = True
        return bool(value != current)

    def _set_environment(self, value: str, at: int) -> None:
        """It is immutable: that of the earliest event, and at one time a name rather than the default."""
        trace = self.trace
        known = trace.set_at.get("environment")
        mine, theirs = (at, value == DEFAULT, value), (known, trace.environment == DEFAULT, trace.environment)
        if known is not None and mine >= theirs:
            return
        trace.set_at["environment"] = at
        trace.environment = value
        self.changed = True

    def _set_metadata(self, update: TraceUpdate) -> None:
        at = microseconds(update.at)
        metadata = self.trace.metadata
        for key, value in update.metadata.items():
            if self._is_newer(f"metadata.{key}", metadata.get(key, ""), value, at) or key not in metadata:
                metadata[key] = value

    def _set_root(self, update: TraceUpdate, at: int) -> None:
        """The earliest root counts. Of one root sent again, the later event; at one time, the greater values."""
        trace, set_at, fields = self.trace, self.trace.set_at, update.fields
        start = microseconds(update.start or update.timestamp)
        root_id = fields["root_id"]
        known = set_at.get(_ROOT_START)
        mine, theirs = (start, root_id), (known, trace.root_id)
        if known is not None and mine > theirs:
            return
        same_moment = mine == theirs and at == set_at.get(_ROOT_AT)
        if mine == theirs and at < set_at.get(_ROOT_AT, at):
            return
        for name in ("root_type", "input_preview", "output_preview"):
            # A preview of what was set on the trace itself stands.
            if name != "root_type" and getattr(trace, name.removesuffix("_preview")):
                continue
            value, current = fields.get(name, ""), getattr(trace, name)
            if value != current and (not same_moment or value > current):
                setattr(trace, name, value)
                self.changed = True
        if not same_moment:
            trace.root_id = root_id
            set_at[_ROOT_START] = start
            set_at[_ROOT_AT] = at
            self.changed = True


def merge_score(stored: Score | None, new: Score) -> Score:
    """The newer values win; what the score is about and when, the first write decides."""
    if stored is None:
        return new
    newer, older = (new, stored) if new.updated_at >= stored.updated_at else (stored, new)
    merged = copy(newer)
    for name in ("timestamp", "trace_id", "observation_id", "session_id", "dataset_run_id", "environment"):
        setattr(merged, name, getattr(stored, name))
    merged.created_at = min(newer.created_at, older.created_at)
    merged.row_version = max(stored.row_version + 1, new.row_version)
    return merged
