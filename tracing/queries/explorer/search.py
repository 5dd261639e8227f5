"""Words in texts: in any language, in any case, and by the indexes of n-grams where these can help."""

from __future__ import annotations

import re
from itertools import product
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, true

from tracing.analytics import functions as fn
from tracing.analytics.tables import observations, traces
from tracing.queries.explorer.language import Term

t, o = traces.c, observations.c
Clause = ColumnElement[bool]

#: Up to so many letters beyond A to Z are looked for in each case by themselves; longer ones (Greek, Cyrillic) as they
#: are usually written: small, in capitals, and with capitals at the beginning.
_MOST_FREE_LETTERS = 3
#: the indexes know runs of three characters
INDEXED_CHARACTERS = 3


def spellings(words: str) -> list[str]:
    """The ways to write it that differ where the index does not fold: it knows the cases of A to Z only."""
    free = [at for at, character in enumerate(words) if not character.isascii() and _both(character)]
    if not free:
        return [words]
    if len(free) > _MOST_FREE_LETTERS:
        return sorted({words, words.lower(), words.upper(), words.title(), words.capitalize()})
    found = set()
    for chosen in product(*(_both(words[at]) for at in free)):
        letters = list(words)
        for at, character in zip(free, chosen, strict=True):
            letters[at] = character
        found.add("".join(letters))
    return sorted(found)


def _both(character: str) -> tuple[str, ...]:
    """A letter in both cases; nothing for what has no cases, or not one character for each."""
    lower, upper = character.lower(), character.upper()
    return (lower, upper) if lower != upper and len(lower) == len(upper) == 1 else ()


def in_column(column: Any, words: str) -> Clause:
    return or_(*(fn.search(column, spelling) for spelling in spellings(words)))


def in_observation(words: str) -> Clause:
    """Anywhere in what an observation took in and gave out, its name, its metadata, who it was for and how it ended."""
    return or_(*(in_column(column, words) for column in (o.input, o.output, rest_of_observation())))


def in_trace(words: str) -> Clause:
    """Anywhere in the trace's own texts."""
    return in_column(text_of_trace(), words)


def rest_of_observation() -> Any:
    """All short texts of an observation as one, as the index `words_grams` has them. A line's end parts them."""
    return fn.lines(o.name, o.status_message, o.user_id, o.session_id, *_metadata(o.metadata))


def text_of_trace() -> Any:
    """All texts of a trace itself as one, as the index `text_grams` has them."""
    return fn.lines(t.input, t.output, t.name, t.user_id, t.session_id, *_metadata(t.metadata))


def _metadata(column: Any) -> tuple[Any, Any]:
    return fn.joined(fn.map_keys(column)), fn.joined(fn.map_values(column))


def in_metadata(column: Any, words: str) -> Clause:
    return or_(*(in_column(text, words) for text in _metadata(column)))


def may_be_in_metadata(term: Term) -> Clause:
    """True wherever an observation's metadata may fit, so that the index can tell where to look."""
    if len(term.values) != 1 or not term.values[0].is_plain:
        return true()
    value = term.values[0].text
    return fn.search(rest_of_observation(), value) if len(value) >= INDEXED_CHARACTERS else true()  # type: ignore[return-value]


def fragments(column: Any, pattern: str) -> list[Clause]:
    """The fixed parts of a pattern, which the index can look for."""
    parts = [part for part in re.split(r"\*+", pattern) if len(part) >= INDEXED_CHARACTERS]
    return [and_(in_column(column, part)) for part in parts]
