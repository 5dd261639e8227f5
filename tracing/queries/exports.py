"""All that a list's filters match, as CSV or as lines of JSON: streamed in batches, whatever there is of it.

An export is complete or says that it is not. A failure on the way ends JSON with a line `{"error": …}`, and CSV with a
row that begins with `ERROR`, after which the connection is cut, so that a download of it fails as well.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from itertools import chain
from typing import Any

from django.utils.translation import gettext as _

from accounts.access import ProjectScope
from config.api.values import to_json
from config.errors import Invalid, SpanwiseError
from tracing.analytics import store
from tracing.analytics.tables import scores
from tracing.queries.explorer.nouns import Noun
from tracing.queries.explorer.rows import Batch, ObservationRow, Row, TraceRow
from tracing.queries.explorer.walk import each_batch
from tracing.queries.explorer.wanted import Wanted
from tracing.queries.score_means import ScoreMean

#: rows with all their content in memory at a time
_BATCH = 200
#: names of scores that get a column; more than this is no table
_MOST_SCORES = 200
#: What spreadsheets take for the beginning of a formula; in some languages the full-width signs, too.
_FORMULA = re.compile(r"^\s*[=+\-@\t\r＝＋－＠]")
SCORES, METADATA = "scores.", "metadata."

Getter = Callable[[Any], Any]


class Format(StrEnum):
    CSV = "csv"
    JSONL = "jsonl"


def _seconds(attribute: str) -> Getter:
    def get(row: Any) -> float | None:
        value = getattr(row, attribute)
        return None if value is None else value / 1_000_000

    return get


def _of(attribute: str) -> Getter:
    return lambda row: getattr(row, attribute)


def _content(attribute: str) -> Getter:
    return lambda row: getattr(row.content, attribute) if row.content else None


_COMMON: dict[str, Getter] = {
    "id": _of("id"),
    "trace": _of("trace_id"),
    "time": _of("timestamp"),
    "name": _of("name"),
    "type": _of("type"),
    "level": _of("level"),
    "status": _of("status_message"),
    "latency": _seconds("latency_us"),
    "ttft": _seconds("time_to_first_token_us"),
    "model": _of("model"),
    "input_tokens": _of("input_tokens"),
    "output_tokens": _of("output_tokens"),
    "tokens": _of("tokens"),
    "input_cost": _of("input_cost"),
    "output_cost": _of("output_cost"),
    "cost": _of("cost"),
    "env": _of("environment"),
    "user": _of("user_id"),
    "session": _of("session_id"),
    "release": _of("release"),
    "version": _of("version"),
    "tag": _of("tags"),
    "public": _of("is_public"),
}
_LAST: dict[str, Getter] = {
    "input": _content("input"),
    "output": _content("output"),
    "metadata": _content("metadata"),
}
GETTERS: dict[Noun, dict[str, Getter]] = {
    Noun.TRACES: {
        **_COMMON,
        "bookmarked": _of("is_bookmarked"),
        "observations": _of("observations"),
        "errors": _of("errors"),
        "prompt": _of("prompt_names"),
        **_LAST,
    },
    Noun.OBSERVATIONS: {
        **_COMMON,
        "end": _of("end_time"),
        "parent": _of("parent_id"),
        "root": _of("is_root"),
        "trace_name": _of("trace_name"),
        "prompt": _of("prompt_name"),
        "prompt_version": _of("prompt_version"),
        **_LAST,
    },
}
#: the lists that can be taken away
EXPORTED = frozenset(noun.value for noun in GETTERS)


def export(scope: ProjectScope, wanted: Wanted, format: Format, *, chosen: Sequence[str] = ()) -> Iterator[bytes]:
    """Pieces of the file. `chosen` are fields in their order; without any, all are there and all scores.

    The first batch is read before this returns: what cannot be read at all raises here, as everywhere.
    """
    known = GETTERS[wanted.noun]
    fields = [one for one in chosen if one in known or one.startswith((SCORES, METADATA))]
    if not fields:
        fields = [*known, *(SCORES + name for name in score_names(scope))]
    names = tuple(one.removeprefix(SCORES) for one in fields if one.startswith(SCORES))
    needs_content = any(one in _LAST or one.startswith(METADATA) for one in fields)
    batches = each_batch(scope, wanted, size=_BATCH, with_content=needs_content, score_names=names)
    first = next(batches, None)
    found = chain([first] if first else [], batches)
    return _as_csv(found, wanted.noun, fields) if format is Format.CSV else _as_lines(found, wanted.noun, fields)


def score_names(scope: ProjectScope) -> list[str]:
    """Of all scores of the project, for the columns of a table. Raises Invalid for too many: none is left out."""
    s = scores.c
    query = store.select(scope, scores, s.name).where(s.data_type != "CORRECTION").distinct().limit(_MOST_SCORES + 1)
    names = sorted(row.name for row in store.rows(scope, query, tag="export-scores"))
    if len(names) > _MOST_SCORES:
        message = _("There are more than %(most)d names of scores: export the columns that you need.")
        raise Invalid(message % {"most": _MOST_SCORES})
    return names


def file_name(project: str, noun: Noun, format: Format, *, now: datetime | None = None) -> str:
    """`assistant-traces-20261121T103000Z.csv`: letters that every system takes."""
    at = (now or datetime.now(UTC)).astimezone(UTC)
    safe = re.sub(r"[^\w.-]+", "-", project, flags=re.ASCII).strip("-.")[:80] or "project"
    return f"{safe}-{noun.value}-{at:%Y%m%dT%H%M%SZ}.{format.value}"


def _as_lines(batches: Iterator[Batch], noun: Noun, fields: Sequence[str]) -> Iterator[bytes]:
    try:
        for batch in batches:
            for row in batch.rows:
                yield to_json(_as_object(row, noun, fields)) + b"\n"
    except SpanwiseError as error:
        yield to_json({"error": _("The export is incomplete: %(why)s") % {"why": error.message}}) + b"\n"


def _as_object(row: Row, noun: Noun, fields: Sequence[str]) -> dict[str, Any]:
    known = GETTERS[noun]
    values: dict[str, Any] = {}
    for field in fields:
        if field in known:
            values[field] = _json_value(known[field](row))
        elif field.startswith(SCORES):
            mean = row.scores.get(field.removeprefix(SCORES))
            if mean is not None:
                values.setdefault("scores", {})[mean.name] = _score_value(mean)
        else:
            values[field] = _metadata_value(row, field)
    return values


def _as_csv(batches: Iterator[Batch], noun: Noun, fields: Sequence[str]) -> Iterator[bytes]:
    # Without the mark Excel takes the file for one of the last century's code pages.
    yield b"\xef\xbb\xbf" + csv_line(fields)
    try:
        for batch in batches:
            yield b"".join(csv_line([_csv_value(row, noun, field) for field in fields]) for row in batch.rows)
    except SpanwiseError as error:
        yield csv_line(["ERROR", _("The export is incomplete: %(why)s") % {"why": error.message}])
        raise


def csv_line(values: Sequence[Any]) -> bytes:
    """One row of a file, in which nothing is run as a formula."""
    text = io.StringIO()
    csv.writer(text).writerow([_harmless(value) for value in values])
    return text.getvalue().encode("utf-8", "replace")


def _csv_value(row: Row, noun: Noun, field: str) -> Any:
    if field in GETTERS[noun]:
        value = _json_value(GETTERS[noun][field](row))
        return to_json(value).decode() if isinstance(value, dict | list) else "" if value is None else value
    if field.startswith(SCORES):
        mean = row.scores.get(field.removeprefix(SCORES))
        return "" if mean is None else _score_value(mean)
    return _metadata_value(row, field) or ""


def _harmless(value: Any) -> Any:
    """Text that a spreadsheet would run as a formula is marked as text, by the apostrophe that they all know."""
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def _json_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    if isinstance(value, Decimal):
        return float(value)
    return list(value) if isinstance(value, tuple) else value


def _score_value(mean: ScoreMean) -> Any:
    return mean.text if mean.text or mean.value is None else mean.value


def _metadata_value(row: TraceRow | ObservationRow, field: str) -> Any:
    return row.content.metadata.get(field.removeprefix(METADATA)) if row.content else None
