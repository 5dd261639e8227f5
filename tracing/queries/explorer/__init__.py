"""The explorer's lists of traces and observations: query language, rows, facets, histogram, completion, walks.

What views, actions and jobs need is here by name; the modules are the explorer's own.
"""

from tracing.queries.explorer.completion import Completion, Suggestion, complete
from tracing.queries.explorer.edit import append, exclude, only, remove, set_range, toggle
from tracing.queries.explorer.facets import Facet, FacetValue, NumberRange, facets
from tracing.queries.explorer.fields import Field, Kind, columns, facet_fields, fields_of, find_field, sortable
from tracing.queries.explorer.histogram import Pulse, PulseBar, pulse
from tracing.queries.explorer.language import Problem, Query, Term, Words, exactly, parse
from tracing.queries.explorer.listing import PAGE_SIZE, count, list_page
from tracing.queries.explorer.nouns import Noun
from tracing.queries.explorer.rows import (
    Batch,
    Content,
    Counted,
    Key,
    ObservationRow,
    Page,
    Row,
    Snippet,
    TraceRow,
)
from tracing.queries.explorer.walk import each_batch
from tracing.queries.explorer.wanted import Measure, Sort, Wanted
from tracing.queries.explorer.writing import quote, write_term, write_value
from tracing.queries.score_means import ScoreMean

__all__ = [
    "PAGE_SIZE", "Batch", "Completion", "Content", "Counted", "Facet", "FacetValue", "Field", "Key", "Kind", "Measure",
    "Noun", "NumberRange", "ObservationRow", "Page", "Problem", "Pulse", "PulseBar", "Query", "Row", "ScoreMean",
    "Snippet", "Sort", "Suggestion", "Term", "TraceRow", "Wanted", "Words", "append", "columns", "complete", "count",
    "each_batch", "exactly", "exclude", "facet_fields", "facets", "fields_of", "find_field", "list_page", "only",
    "parse", "pulse", "quote", "remove", "set_range", "sortable", "toggle", "write_term", "write_value",
]  # fmt: skip
