"""The columns of the lists: which there are, which are shown, in what order, and how an address says so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict

from tracing.queries.explorer.fields import fields_of
from tracing.queries.explorer.nouns import Noun
from tracing.queries.explorer.rows import Row
from tracing.views.lists import cells
from tracing.views.lists.cells import Cell, Html

#: more columns than this nobody reads, and an address might name thousands
_MOST = 40
SCORES = "scores."


@dataclass(frozen=True, slots=True)
class Column:
    """`id` is what an address calls it; `css` says how wide it is and how it is set."""

    id: str
    label: Any
    css: str
    cell: Cell
    #: field by which a click on the header sorts; empty where it cannot
    sort: str = ""

    @property
    def is_end(self) -> bool:
        return self.css.startswith("num end")


@dataclass(frozen=True, slots=True)
class Choice:
    """A line of the columns menu."""

    column: Column
    is_shown: bool


def _cells(noun: Noun) -> dict[str, tuple[str, Cell]]:
    """Field -> class and cell."""
    io, number, short = "io c-io", "num end c-number", "quiet c-text"
    found: dict[str, tuple[str, Cell]] = {
        "time": ("num quiet c-time", cells.time),
        "name": ("c-name", cells.name),
        "input": (io, cells.content("input_preview")),
        "output": (io, cells.content("output_preview")),
        "level": ("c-level", cells.level),
        "latency": ("num end c-latency", cells.latency),
        "tokens": ("num end c-tokens", cells.figure("tokens")),
        "cost": ("num end c-cost", cells.money("cost")),
        "type": (short, cells.kind),
        "model": (short, cells.models),
        "env": (short, cells.text("environment")),
        "user": (short, cells.text("user_id")),
        "session": (short, cells.text("session_id")),
        "tag": ("c-tags", cells.tags),
        "status": ("quiet c-io", cells.content("status_message")),
        "ttft": (number, cells.ttft),
        "input_tokens": (number, cells.figure("input_tokens")),
        "output_tokens": (number, cells.figure("output_tokens")),
        "input_cost": (number, cells.money("input_cost")),
        "output_cost": (number, cells.money("output_cost")),
        "release": (short, cells.text("release")),
        "version": (short, cells.text("version")),
        "prompt": (short, cells.prompt),
        "public": ("quiet c-flag", cells.flag("is_public")),
        "id": ("num quiet c-id", cells.text("id")),
    }
    if noun is Noun.TRACES:
        found["observations"] = (number, cells.figure("observations"))
        found["errors"] = (number, cells.figure("errors"))
    else:
        found["trace_name"] = (short, cells.text("trace_name"))
        found["trace"] = ("num quiet c-id", cells.text("trace_id"))
        found["root"] = ("quiet c-flag", cells.flag("is_root"))
        found["end"] = ("num quiet c-time", cells.end)
    return found


DEFAULTS = {
    Noun.TRACES: ("time", "name", "input", "output", "level", "latency", "tokens", "cost"),
    Noun.OBSERVATIONS: ("time", "name", "input", "output", "level", "model", "latency", "tokens", "cost"),
}


def known_columns(noun: Noun) -> dict[str, Column]:
    """All but those of scores, in the order in which the menu lists them."""
    fields = fields_of(noun)
    return {
        name: Column(name, fields[name].label, css, cell, name if fields[name].is_sortable else "")
        for name, (css, cell) in _cells(noun).items()
    }


def chosen_ids(query: QueryDict) -> tuple[str, ...]:
    """`columns=time,name`; a form without a script says `columns=time&columns=name`. Empty for the usual ones."""
    named = (part.strip() for value in query.getlist("columns") for part in _split(value.replace("\x00", "")))
    return tuple(dict.fromkeys(part for part in named if part))[:_MOST]


def _split(value: str) -> Iterable[str]:
    """At commas; one that belongs to the name of a score is written `%2C`, so that all others divide."""
    return (part.replace("%2C", ",").replace("%25", "%") for part in value.split(","))


def written(ids: Iterable[str]) -> str:
    return ",".join(part.replace("%", "%25").replace(",", "%2C") for part in ids)


def shown_columns(noun: Noun, ids: Sequence[str], rows: Sequence[Row]) -> list[Column]:
    """Those chosen, or the usual ones and the score that most of these rows have. The name is always among them: it
    is the link that opens a row."""
    known = known_columns(noun)
    wanted = list(ids) or [*DEFAULTS[noun], *(SCORES + name for name in _scores_of(rows)[:1])]
    if "name" not in wanted:
        wanted.insert(min(1, len(wanted)), "name")
    columns = (known.get(part) or _score_column(part) for part in wanted)
    return [column for column in columns if column]


def _score_column(part: str) -> Column | None:
    name = part.removeprefix(SCORES)
    return Column(part, name, "num end quiet c-score", cells.score(name)) if part.startswith(SCORES) and name else None


def choices(noun: Noun, shown: Sequence[Column], rows: Sequence[Row]) -> list[Choice]:
    """What the menu offers: the columns that are shown, in their order, then all others."""
    there = {column.id for column in shown}
    others = [column for column in known_columns(noun).values() if column.id not in there]
    scores = [_score_column(SCORES + name) for name in _scores_of(rows) if SCORES + name not in there]
    rest = [*others, *(column for column in scores if column)]
    return [*(Choice(column, True) for column in shown), *(Choice(column, False) for column in rest)]


def _scores_of(rows: Sequence[Row]) -> list[str]:
    counts: dict[str, int] = {}
    for row in rows:
        for name in row.scores:
            counts[name] = counts.get(name, 0) + 1
    return sorted(counts, key=lambda name: (-counts[name], name))


@dataclass(frozen=True, slots=True)
class ShownRow:
    """A row with the address it opens, and its cells as class and content."""

    row: Row
    url: str
    cells: list[tuple[str, Html]]
