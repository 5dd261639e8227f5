"""The menu of time ranges: names, and the stretches before, after and around the one that is shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.utils.translation import gettext as _

from tracing.queries.periods import Period, is_known_year


@dataclass(frozen=True, slots=True)
class Stretch:
    """Ends as an address says them; `until` is empty where the stretch goes on until now."""

    since: str
    until: str


@dataclass(frozen=True, slots=True)
class Steps:
    """Where the reader may go from a time range; None where there is nothing further that way."""

    earlier: Stretch | None
    later: Stretch | None
    wider: Stretch | None


def range_labels() -> list[tuple[str, str]]:
    return [
        ("1h", _("Past hour")),
        ("24h", _("Past 24 hours")),
        ("7d", _("Past 7 days")),
        ("30d", _("Past 30 days")),
        ("90d", _("Past 90 days")),
        ("all", _("All time")),
    ]


def steps_from(period: Period, now: datetime | None = None) -> Steps:
    """Earlier and later are of the same length; wider twice as long around the same middle. Nothing is after now."""
    now = now or datetime.now(UTC)
    since, until = period.since, period.until or now
    if since is None or until <= since:
        return Steps(None, None, None)
    length = until - since
    later = _stretch(until, min(until + length, now), now) if until < now - timedelta(seconds=1) else None
    wider = _stretch(since - length / 2, min(until + length / 2, now), now)
    return Steps(_stretch(since - length, since, now), later, wider)


def _stretch(since: datetime, until: datetime, now: datetime) -> Stretch | None:
    if not is_known_year(since) or not is_known_year(until):
        return None
    return Stretch(_written(since), "" if until >= now else _written(until))


def _written(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
