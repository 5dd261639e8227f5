"""What the list of scores reads from the address."""

from __future__ import annotations

import math

from django.http import QueryDict
from django.utils.translation import gettext as _

from config.errors import Invalid
from evals.queries.scores import FACETS, ScoreWanted
from tracing.queries.periods import RANGES, Period, parse_time

_LONGEST = 1000
_MOST = 50
_WORDS = ("trace_name", "user", "session", "tag")


def scores_from(query: QueryDict, period: Period) -> ScoreWanted:
    """Nonsense is dropped: a list shows what it understands."""
    return ScoreWanted(
        period=period,
        chosen={name: values for name in FACETS if (values := _several(query, name))},
        low=_number(query.get("low", "")),
        high=_number(query.get("high", "")),
        **{name: _text(query.get(name, "")) for name in _WORDS},  # type: ignore[arg-type]
    )


def exact_scores_from(query: QueryDict) -> ScoreWanted:
    """For what is done to all that match: what cannot be read changes nothing. Raises Invalid."""
    since, until = (parse_time(query.get(name, "")) for name in ("from", "to"))
    period = Period.between(since, until) if since or until else Period.named(query.get("range", ""))
    wanted = scores_from(query, period)
    unread = [query.get(name, "") for name, read in (("from", since), ("to", until)) if query.get(name) and not read]
    said = {name: query.get(name, "").strip() for name in ("low", "high", *_WORDS)}
    unread += [said[name] for name in ("low", "high") if said[name] and getattr(wanted, name) is None]
    unread += [said[name] for name in _WORDS if said[name] != getattr(wanted, name)]
    unread += [name for name in FACETS if set(filter(None, query.getlist(name))) != set(wanted.chosen.get(name, ()))]
    if not (since or until) and query.get("range", "") not in ("", *RANGES):
        unread.append(query.get("range", ""))
    if unread:
        raise Invalid(_("“%(text)s” in the filter cannot be read.") % {"text": unread[0][:100]})
    return wanted


def _several(query: QueryDict, name: str) -> tuple[str, ...]:
    values = (_text(value) for value in query.getlist(name))
    return tuple(dict.fromkeys(value for value in values if value))[:_MOST]


def _text(value: str) -> str:
    return "" if "\x00" in value else value.strip()[:_LONGEST]


def _number(text: str) -> float | None:
    try:
        number = float(text.strip())
    except ValueError:
        return None
    return number if math.isfinite(number) else None
