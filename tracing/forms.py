"""What the lists read from the address: filters, time range, place in the list. Nonsense is dropped, not refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from django.http import QueryDict
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from config.errors import Invalid
from tracing.queries.explorer import Noun, Sort, Wanted, parse
from tracing.queries.paging import Cursor
from tracing.queries.periods import RANGES, Period, is_known_year

_LONGEST = 1000
#: the last row's name, by which a list may be sorted, is in it
_LONGEST_CURSOR = 8000
_MOST = 50


def period_from(query: QueryDict) -> Period:
    """`range=24h`, or `from` and `to` as local or zoned times."""
    since, until = _moment(query.get("from")), _moment(query.get("to"))
    return Period.between(since, until) if since or until else Period.named(query.get("range", ""))


def wanted_from(query: QueryDict, noun: Noun) -> Wanted:
    """The rows that a list of the explorer is to show. What is wrong with `q` is told by `query.problems`."""
    return Wanted(
        noun=noun,
        query=parse(query.get("q", "").replace("\x00", "").strip(), noun),
        period=period_from(query),
        environments=_several(query, "environment"),
        sort=Sort.parse(query.get("sort", "")),
        before=query.get("before", "").replace("\x00", "")[:_LONGEST_CURSOR],
    )


def exact_wanted_from(query: QueryDict, noun: Noun) -> Wanted:
    """For what is done to all that match: a list may leave out what it does not understand, work on it may not.

    Raises Invalid for times, ranges and environments that `wanted_from` would drop or cut, as for mistakes in `q`.
    """
    wanted = wanted_from(query, noun)
    if wanted.query.problems:
        raise Invalid(_("The filter has a mistake: %(problem)s") % {"problem": wanted.query.problems[0].message})
    times = [query.get(name, "") for name in ("from", "to")]
    unread = [text for text in times if text and _moment(text) is None]
    if not any(times) and query.get("range", "") not in ("", *RANGES):
        unread.append(query.get("range", ""))
    if unread:
        raise Invalid(_("“%(text)s” is no time or range that can be read.") % {"text": unread[0][:100]})
    environments = {value for value in query.getlist("environment") if value}
    if environments != set(wanted.environments) or "\x00" in query.get("q", ""):
        raise Invalid(_("The filter cannot be read whole: choose fewer environments."))
    return replace(wanted, before="")  # all of it, whichever page was looked at


def cursor_from(query: QueryDict, name: str = "before") -> Cursor | None:
    return Cursor.parse(query.get(name, ""))


def text_from(query: QueryDict, name: str) -> str:
    return query.get(name, "").replace("\x00", "").strip()[:_LONGEST]


def _several(query: QueryDict, name: str) -> tuple[str, ...]:
    values = (value.replace("\x00", "")[:_LONGEST] for value in query.getlist(name))
    return tuple(dict.fromkeys(value for value in values if value))[:_MOST]


def _moment(text: str | None) -> datetime | None:
    try:
        at = parse_datetime(text or "")
    except ValueError:  # well formed but impossible: 31 February
        return None
    if at is None:
        return None
    at = at if timezone.is_aware(at) else timezone.make_aware(at)
    return at if is_known_year(at) else None
