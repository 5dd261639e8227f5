"""A realistic data set of an invented company: the same seed and end time give the same traces, in any number.

Another end time moves the same events and gives them other ids: what a data set tells does not depend on the day.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

from tracing.demo import agent, chatbot, extraction, odd
from tracing.demo.draft import Draft

DAYS = 14
_APPLICATIONS = (chatbot.conversation, agent.research, extraction.invoice)
_SHARES = (55, 20, 25)
#: Where in the run the odd ones come. With fewer traces than this some are left out.
_ODD = {9: odd.long_run, 14: odd.orphan, 19: odd.long_names}


def drafts(traces: int, *, seed: int, until: datetime) -> Iterator[Draft]:
    """`traces` traces ending at `until`, one by one; nothing is kept, so memory does not bound their number."""
    stem = str(seed)
    made = index = 0
    while made < traces:
        for draft in _next(stem, index, until, made / traces):
            if made < traces:
                yield draft
                made += 1
        index += 1


def _next(stem: str, index: int, until: datetime, share: float) -> list[Draft]:
    draw = random.Random(f"{stem}:when:{index}")  # noqa: S311 - repeatable, not secret
    start = until - timedelta(days=DAYS) * (1 - share)
    start = _in_working_hours(start, draw)
    start = min(start, until - timedelta(minutes=15))
    if index in _ODD:
        # The odd ones are worth finding, so they are recent.
        return [_ODD[index](stem, index, until - timedelta(hours=5, minutes=7 * index))]
    application = draw.choices(_APPLICATIONS, _SHARES)[0]
    if application is extraction.invoice:
        start = min(start.replace(hour=2), start)  # the batch runs at night
    return application(stem, index, start, share)


def _in_working_hours(moment: datetime, draw: random.Random) -> datetime:
    """Traffic follows the day: a little at night, most in the afternoon."""
    hour = min(23.99, max(0.0, draw.gauss(14.5, 4.2)))
    if draw.random() < 0.3:
        return moment
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return min(day + timedelta(hours=hour, seconds=draw.randrange(60)), moment + timedelta(hours=6))
