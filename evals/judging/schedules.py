"""Set times at which a rule judges what began since: rows of django-celery-beat, and what is due by them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from celery.schedules import ParseException, crontab
from django.utils import timezone
from django.utils.translation import gettext as _
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from config.errors import Invalid, issue
from evals.models import Rule

TASK = "evals.tasks.run_scheduled_rule"
WINDOWS = ("since_last", "yesterday", "last_7_days")
_LARGEST_SAMPLE = 1_000_000
#: what began before the last run may have arrived after it: spans come when they end
_LATE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Schedule:
    """`crontab` has five fields: minute, hour, day of month, month, day of week. `sample` is the most targets of a run,
    chosen at random; None for all."""

    crontab: str
    timezone: str = "UTC"
    window: str = "since_last"
    sample: int | None = None

    def check(self) -> None:
        """Raises Invalid."""
        if self.window not in WINDOWS:
            raise _wrong("window", _("Choose one of: %(all)s.") % {"all": ", ".join(WINDOWS)})
        if self.sample is not None and not 1 <= self.sample <= _LARGEST_SAMPLE:
            raise _wrong("sample", _("A sample has at least one, and at most a million."))
        zone_of(self.timezone)
        fields = self.crontab.split()
        if len(fields) != 5 or len(self.crontab) > 200:
            raise _wrong("crontab", _("A schedule has five fields: minute, hour, day, month and day of week."))
        try:
            minute, hour, day, month, weekday = fields
            _require_room(fields)
            crontab(minute=minute, hour=hour, day_of_month=day, month_of_year=month, day_of_week=weekday)
        except (ParseException, ValueError, KeyError, IndexError):
            raise _wrong(
                "crontab", _("This schedule cannot be read. An example: 0 3 * * * for 3:00 each day.")
            ) from None


def _require_room(fields: list[str]) -> None:
    """Raises ValueError where one is longer than what is kept of it."""
    names = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
    for name, text in zip(names, fields, strict=True):
        if len(text) > (CrontabSchedule._meta.get_field(name).max_length or 0):
            raise ValueError(name)


def _wrong(name: str, message: str) -> Invalid:
    return Invalid(issues=[issue(("schedule", name), message)])


def zone_of(name: str) -> ZoneInfo:
    """Raises Invalid for one that is not known."""
    try:
        return ZoneInfo(name)
    except (ValueError, KeyError, OSError):
        raise _wrong("timezone", _("There is no such time zone. An example: Europe/Berlin.")) from None


def schedule_of(rule: Rule) -> Schedule | None:
    task = rule.schedule
    if task is None or task.crontab is None:
        return None
    cron = task.crontab
    fields = f"{cron.minute} {cron.hour} {cron.day_of_month} {cron.month_of_year} {cron.day_of_week}"
    return Schedule(fields, str(cron.timezone), _said(task).get("window", "since_last"), rule.schedule_sample)


def _said(task: PeriodicTask) -> dict[str, Any]:
    said: dict[str, Any] = orjson.loads(task.kwargs or "{}")
    return said


def put(rule: Rule, schedule: Schedule | None) -> None:
    """Inside a transaction. Times that differ from those of before begin to count now."""
    old, before = rule.schedule, schedule_of(rule)
    if schedule is None:
        rule.schedule, rule.schedule_sample, rule.scheduled_at = None, None, None
        rule.save(update_fields=["schedule", "schedule_sample", "scheduled_at", "updated_at"])
        if old is not None:
            old.delete()
        return
    minute, hour, day, month, weekday = schedule.crontab.split()
    cron = CrontabSchedule.objects.filter(
        minute=minute, hour=hour, day_of_month=day, month_of_year=month, day_of_week=weekday, timezone=schedule.timezone
    ).first() or CrontabSchedule.objects.create(
        minute=minute, hour=hour, day_of_month=day, month_of_year=month, day_of_week=weekday, timezone=schedule.timezone
    )
    now = timezone.now()
    task = old or PeriodicTask(name=f"evaluation rule {rule.pk}", task=TASK, last_run_at=now)
    task.crontab = cron
    counts_from = _said(task).get("counts_from", "")
    if before is not None and (before.crontab, before.timezone) != (schedule.crontab, schedule.timezone):
        counts_from = now.isoformat()
    said = {"rule_id": rule.pk, "window": schedule.window, "counts_from": counts_from}
    task.kwargs = orjson.dumps(said).decode()
    task.enabled = True
    task.description = rule.name[:200]
    task.save()
    rule.schedule, rule.schedule_sample = task, schedule.sample
    rule.scheduled_at = rule.scheduled_at or now
    rule.save(update_fields=["schedule", "schedule_sample", "scheduled_at", "updated_at"])


def is_due(rule: Rule) -> bool:
    """Whether a time of the schedule has come since the last run, and since it was changed."""
    task = rule.schedule
    if task is None or task.crontab is None or not task.enabled or rule.scheduled_at is None:
        return False
    changed = _said(task).get("counts_from")
    since = max(rule.scheduled_at, datetime.fromisoformat(changed)) if changed else rule.scheduled_at
    return bool(task.crontab.schedule.is_due(since).is_due)


def span_of(rule: Rule, now: datetime) -> tuple[datetime, datetime]:
    """When what a run judges began: from, until. A run since the last one looks back a little further, for what arrived
    late; what was judged then is not judged again."""
    schedule = schedule_of(rule)
    window = schedule.window if schedule else "since_last"
    if window == "yesterday":
        local = now.astimezone(zone_of(schedule.timezone if schedule else "UTC"))
        today = local.replace(hour=0, minute=0, second=0, microsecond=0)
        return today - timedelta(days=1), today
    if window == "last_7_days":
        return now - timedelta(days=7), now
    return (rule.scheduled_at or now - timedelta(days=1)) - _LATE, now


def seed_of(rule: Rule, until: datetime) -> str:
    """By what a run chooses its sample. One since the last run leaves out what the last one left out, as the two
    overlap; one over the same days again takes others of them."""
    schedule = schedule_of(rule)
    is_share = schedule is not None and schedule.window == "since_last" and schedule.sample is None
    return rule.pk if is_share else f"{rule.pk} {until.isoformat()}"


def forget(rule: Rule) -> None:
    """With the rule goes its schedule."""
    if rule.schedule is not None:
        rule.schedule.delete()


def next_run(rule: Rule) -> datetime | None:
    """When the schedule comes to its next time; None without one."""
    task = rule.schedule
    if task is None or task.crontab is None or rule.scheduled_at is None:
        return None
    due: Any = task.crontab.schedule.is_due(timezone.now())
    return timezone.now() + timedelta(seconds=float(due.next))
