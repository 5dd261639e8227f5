"""What a page of the explorer asks for, as read from its address."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

from tracing.queries.explorer.language import Query, parse
from tracing.queries.explorer.nouns import Noun
from tracing.queries.periods import Period

_SORT = re.compile(r"-?[a-z_]+\Z")


@dataclass(frozen=True, slots=True)
class Sort:
    """`field` is a sortable field of the noun; rows that are equal in it follow one another newest first."""

    field: str = "time"
    is_descending: bool = True

    @classmethod
    def parse(cls, text: str) -> Sort:
        """`-latency` or `cost`; the newest first for anything that is not written so."""
        return cls(text.lstrip("-"), text.startswith("-")) if _SORT.match(text) else cls()

    def __str__(self) -> str:
        return f"{'-' if self.is_descending else ''}{self.field}"

    @property
    def is_newest_first(self) -> bool:
        return self.field == "time" and self.is_descending


class Measure(StrEnum):
    """What the bars of the histogram may show beside counts."""

    COUNT = "count"
    COST = "cost"
    LATENCY = "latency"


@dataclass(frozen=True, slots=True)
class Wanted:
    """The rows of a list: which, in what order, and from where on."""

    noun: Noun
    query: Query = field(default_factory=lambda: parse("", Noun.TRACES))
    period: Period = field(default_factory=lambda: Period.named(""))
    #: any of them; beside the terms of the query, which may name environments of their own
    environments: tuple[str, ...] = ()
    sort: Sort = field(default_factory=Sort)
    #: cursor of the page before, opaque; nonsense means the first page
    before: str = ""

    @property
    def is_narrowed(self) -> bool:
        return bool(self.query.text.strip() or self.environments)
