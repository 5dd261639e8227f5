"""The rows of the explorer's lists: every value that a column may show."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from tracing.analytics.records import ZERO
from tracing.queries.score_means import ScoreMean


@dataclass(frozen=True, slots=True)
class Snippet:
    """Text around a hit. `marks` are starts and ends (exclusive) of the words found, as places in `text`."""

    #: input, output, metadata, name, status, user or session
    field: str
    text: str
    marks: tuple[tuple[int, int], ...]
    #: whether there is more of the field's text on either side
    is_cut_before: bool = False
    is_cut_after: bool = False
    #: of the observation in which it was found; empty for the trace's own text
    observation_id: str = ""

    @property
    def pieces(self) -> list[tuple[str, bool]]:
        """The text in pieces, each with whether it is marked."""
        found, at = [], 0
        for start, end in self.marks:
            found += [(self.text[at:start], False), (self.text[start:end], True)]
            at = end
        return [(text, is_marked) for text, is_marked in (*found, (self.text[at:], False)) if text]


@dataclass(frozen=True, slots=True)
class Content:
    """The whole of what lists show previews of. Text as sent, or JSON text."""

    input: str = ""
    output: str = ""
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """What traces and observations have in common. Absent texts are empty, absent durations are None."""

    id: str
    trace_id: str
    timestamp: datetime
    name: str
    type: str
    #: the worst of the trace, or the observation's own: ERROR, WARNING, DEFAULT or DEBUG
    level: str = "DEFAULT"
    status_message: str = ""
    input_preview: str = ""
    output_preview: str = ""
    latency_us: int | None = None
    time_to_first_token_us: int | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    tokens: int = 0
    input_cost: Decimal = ZERO
    output_cost: Decimal = ZERO
    cost: Decimal = ZERO
    #: of a trace the one that most of its observations name
    model: str = ""
    user_id: str = ""
    session_id: str = ""
    environment: str = ""
    release: str = ""
    version: str = ""
    tags: tuple[str, ...] = ()
    is_public: bool = False
    #: by name
    scores: dict[str, ScoreMean] = field(default_factory=dict)
    #: where the query looks for text
    snippet: Snippet | None = None
    #: only where it was asked for
    content: Content | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceRow(_Row):
    """`type` is that of the root observation; figures are sums over the trace's observations."""

    root_id: str = ""
    is_bookmarked: bool = False
    observations: int = 0
    errors: int = 0
    warnings: int = 0
    models: tuple[str, ...] = ()
    prompt_names: tuple[str, ...] = ()
    first_start: datetime
    last_start: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservationRow(_Row):
    """User, session, release and tags are the observation's own, or else its trace's."""

    end_time: datetime | None = None
    parent_id: str = ""
    is_root: bool = False
    trace_name: str = ""
    prompt_name: str = ""
    prompt_version: int | None = None


Row = TraceRow | ObservationRow


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list. `older` is the cursor of the next one; empty on the last page."""

    rows: list[Row]
    older: str = ""


@dataclass(frozen=True, slots=True)
class Counted:
    """How many rows match; where there are more than were counted, `is_all` is False."""

    number: int
    is_all: bool


@dataclass(frozen=True, slots=True)
class Key:
    """What names a row: for a trace both ids are its own."""

    trace_id: str
    id: str
    timestamp: datetime


@dataclass(frozen=True, slots=True)
class Batch:
    """Some of all that matches. From `cursor` on the walk can be taken up again, also by another process."""

    keys: list[Key]
    rows: list[Row]
    cursor: str
