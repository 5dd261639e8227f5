"""A rule while it is written: as the form has it, with what is wrong at each field."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import available_timezones

from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.errors import Invalid
from evals.actions.rules import LONGEST_DELAY, RuleFields
from evals.judging.schedules import Schedule
from evals.models import Evaluator, EvaluatorVersion, Rule, TargetKind
from evals.queries.rules import Column, filter_columns
from evals.views.judging.drafts import MapRow, read_object, whole_number
from tracing.queries.filters import MOST_FILTERS

#: name, words, seconds
UNITS = [
    ("s", gettext_lazy("seconds"), 1),
    ("m", gettext_lazy("minutes"), 60),
    ("h", gettext_lazy("hours"), 3600),
    ("d", gettext_lazy("days"), 86400),
]
_SECONDS = {name: seconds for name, _label, seconds in UNITS}
RHYTHMS = [
    ("", gettext_lazy("None: it judges what arrives")),
    ("daily", gettext_lazy("Every day")),
    ("weekly", gettext_lazy("Every week")),
    ("monthly", gettext_lazy("Every month, on the 1st")),
    ("cron", gettext_lazy("Five fields of cron")),
]
WEEKDAYS = [
    ("1", gettext_lazy("Monday")),
    ("2", gettext_lazy("Tuesday")),
    ("3", gettext_lazy("Wednesday")),
    ("4", gettext_lazy("Thursday")),
    ("5", gettext_lazy("Friday")),
    ("6", gettext_lazy("Saturday")),
    ("0", gettext_lazy("Sunday")),
]
WINDOWS = [
    ("since_last", gettext_lazy("What began since the last run")),
    ("yesterday", gettext_lazy("What began yesterday")),
    ("last_7_days", gettext_lazy("What began in the last 7 days")),
]
#: operators that need no value
ALONE = ("is null", "is not null", "is set", "is not set")
OPERATOR_WORDS: dict[str, str | Promise] = {
    "=": gettext_lazy("is"),
    "<>": gettext_lazy("is not"),
    "any of": gettext_lazy("is any of"),
    "none of": gettext_lazy("is none of"),
    "all of": gettext_lazy("has all of"),
    "contains": gettext_lazy("contains"),
    "does not contain": gettext_lazy("does not contain"),
    "starts with": gettext_lazy("starts with"),
    "ends with": gettext_lazy("ends with"),
    "matches": gettext_lazy("has the words"),
    "is null": gettext_lazy("is empty"),
    "is not null": gettext_lazy("is not empty"),
    "is set": gettext_lazy("is there"),
    "is not set": gettext_lazy("is not there"),
    ">": ">",
    "<": "<",
    ">=": "≥",
    "<=": "≤",
}
_KEYED = ("stringObject", "numberObject", "booleanObject", "categoryOptions")
_SEVERAL = ("stringOptions", "arrayOptions", "categoryOptions")
_LONGEST = 2000
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)\Z")


@dataclass(slots=True)
class Condition:
    """One line of the filter; values of a list are parted by commas."""

    column: str = ""
    operator: str = ""
    value: str = ""
    key: str = ""
    #: what an API client wrote that the form cannot show: kept as it is
    raw: dict[str, Any] | None = None
    error: str = ""


@dataclass(slots=True)
class Assigned:
    """An evaluator that can be chosen, and how it finds its variables in this rule."""

    evaluator: Evaluator
    version: EvaluatorVersion
    is_chosen: bool = False
    #: whether this rule maps by itself
    is_own: bool = False
    rows: list[MapRow] = field(default_factory=list)
    error: str = ""

    @property
    def mapping(self) -> list[dict[str, Any]] | None:
        return [row.entry for row in self.rows if row.source] if self.is_own else None


@dataclass(slots=True)
class RuleDraft:
    rule: str = ""
    name: str = ""
    target: str = TargetKind.OBSERVATION
    conditions: list[Condition] = field(default_factory=list)
    percent: str = "100"
    delay: str = "0"
    unit: str = "s"
    cap: str = ""
    assigned: list[Assigned] = field(default_factory=list)
    rhythm: str = ""
    time: str = "02:00"
    weekday: str = "1"
    crontab: str = "0 2 * * *"
    timezone: str = "UTC"
    window: str = "since_last"
    sample: str = ""
    is_enabled: bool = False
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def has_errors(self) -> bool:
        return bool(self.errors) or any(one.error for one in self.conditions) or any(one.error for one in self.assigned)

    @property
    def delay_seconds(self) -> int:
        try:
            seconds = float(self.delay.replace(",", ".") or 0) * _SECONDS[self.unit]
        except ValueError:
            self.errors["delay"] = _("“%(text)s” is no number.") % {"text": self.delay[:40]}
            return 0
        if not 0 <= seconds <= LONGEST_DELAY:
            self.errors["delay"] = _("Wait for at most seven days.")
            return 0
        return round(seconds)

    @property
    def filter(self) -> list[dict[str, Any]]:
        known = {column.name: column for column in filter_columns(TargetKind(self.target))}
        return [one.raw or _item(one, known) for one in self.conditions if one.column or one.raw]

    def fields(self) -> RuleFields | None:
        """None where something cannot be read, which is in `errors` then."""
        fields = RuleFields(
            name=self.name,
            target=TargetKind(self.target),
            filter=self.filter,
            sampling=self._sampling(),
            delay_seconds=self.delay_seconds,
            daily_cap=self._cap(),
            is_enabled=self.is_enabled,
            assignments=[(one.evaluator.pk, one.mapping) for one in self.assigned if one.is_chosen],
            schedule=self._schedule(),
        )
        if not self.name:
            self.errors["name"] = _("Give it a name.")
        return None if self.has_errors else fields

    def _sampling(self) -> float:
        try:
            share = float(self.percent.replace(",", ".").rstrip(" %")) / 100
        except ValueError:
            share = 0.0
        if not 0 < share <= 1:
            self.errors["percent"] = _("Give a share above 0 and up to 100 %.")
            return 1.0
        return share

    def _cap(self) -> Decimal | None:
        text = self.cap.replace(",", ".").lstrip("$ ")
        if not text:
            return None
        try:
            amount = Decimal(text)
        except InvalidOperation:
            amount = Decimal(-1)
        if not amount.is_finite() or not 0 < amount < 1_000_000:
            self.errors["cap"] = _("Give an amount of US dollars, such as 5.")
            return None
        return amount

    def _schedule(self) -> Schedule | None:
        if not self.rhythm:
            return None
        crontab = self.crontab
        if self.rhythm != "cron":
            found = _TIME.match(self.time)
            if found is None:
                self.errors["schedule"] = _("Give a time of the day, such as 02:00.")
                return None
            days = {"daily": "* * *", "weekly": f"* * {self.weekday}", "monthly": "1 * *"}[self.rhythm]
            crontab = f"{int(found[2])} {int(found[1])} {days}"
        if self.timezone not in available_timezones():
            self.errors["schedule"] = _("“%(name)s” is no time zone.") % {"name": self.timezone[:60]}
        sample = whole_number(self.sample)
        if self.sample and not sample:
            self.errors["schedule"] = _("Give the most targets of a run as a whole number, or leave it empty.")
        return Schedule(crontab=crontab, timezone=self.timezone, window=self.window, sample=sample)

    def refused(self, refusal: Invalid) -> None:
        """Puts what an action refused where it belongs."""
        if not refusal.issues:
            self.errors["whole"] = refusal.message
        for issue in refusal.issues or ():
            path: Any = issue.get("path") or ()
            self._put([str(part) for part in path], str(issue["message"]))

    def _put(self, path: list[str], words: str) -> None:
        head, place = ([*path, "", ""])[:2]
        rows: list[Any] = []
        if head == "filter":
            rows = [one for one in self.conditions if one.column or one.raw]
        elif head == "evaluatorAssignments":
            rows = [one for one in self.assigned if one.is_chosen]
        names = {
            "sampling": "percent",
            "delaySeconds": "delay",
            "dailyCap": "cap",
            "evaluatorAssignments": "evaluators",
        }
        if place.isdigit() and int(place) < len(rows):
            rows[int(place)].error = words
        elif head in ("name", "schedule", "filter", *names):
            self.errors[names.get(head, head)] = words
        else:
            self.errors["whole"] = words


# --- Where drafts come from -------------------------------------------------------------------------------
def of_rule(rule: Rule, schedule: Schedule | None) -> RuleDraft:
    draft = RuleDraft(
        rule=rule.pk,
        name=rule.name,
        target=rule.target,
        percent=percent_of(rule.sampling),
        cap="" if rule.daily_cap is None else f"{rule.daily_cap.normalize():f}",
        is_enabled=rule.is_enabled,
    )
    draft.conditions = conditions_of(rule.target, rule.filter)
    draft.delay, draft.unit = in_units(rule.delay_seconds)
    if schedule is not None:
        read_schedule(draft, schedule)
    return draft


def conditions_of(target: str, items: list[dict[str, Any]]) -> list[Condition]:
    known = {column.name: column for column in filter_columns(TargetKind(target))}
    return [_condition(item, known) for item in items]


def _condition(item: dict[str, Any], known: dict[str, Column]) -> Condition:
    name, operator, value = str(item.get("column")), str(item.get("operator")), item.get("value")
    column = known.get(name)
    shown, key = shown_value(value), str(item.get("key") or "")
    if column is None or types_of(column).get(operator) != item.get("type"):
        return Condition(name, operator, shown, key, raw=item)
    # A field of one line sends no other lines, and blanks around a value are taken for slips.
    value_sent, key_sent = (_as_typed(text.replace("\n", "").replace("\r", "")) for text in (shown, key))
    back = _item(Condition(name, operator, value_sent, key_sent), known)
    is_same = operator in ALONE or back["value"] == value
    return Condition(name, operator, shown, key, raw=None if is_same and back.get("key", "") == key else item)


def _item(one: Condition, known: dict[str, Column]) -> dict[str, Any]:
    column = known.get(one.column)
    if column is None:
        one.error = _("Such targets have no “%(name)s”.") % {"name": one.column[:60]}
        return {}
    kind = types_of(column).get(one.operator, column.type)
    item: dict[str, Any] = {"type": kind, "column": column.name, "operator": one.operator}
    item["value"] = _value(one, kind)
    if kind in _KEYED:
        item["key"] = one.key
        if not one.key:
            one.error = _("Say which key of it.")
    return item


def _value(one: Condition, kind: str) -> Any:
    if one.operator in ALONE:
        return ""
    if kind in _SEVERAL:
        values = [part.strip() for part in one.value.split(",") if part.strip()]
        if not values:
            one.error = _("Give at least one value.")
        return values
    if kind in ("number", "numberObject"):
        try:
            return float(one.value.replace(",", "."))
        except ValueError:
            one.error = _("“%(text)s” is no number.") % {"text": one.value[:40]}
            return 0
    if kind in ("boolean", "booleanObject"):
        if one.value not in ("true", "false"):
            one.error = _("Choose yes or no.")
        return one.value == "true"
    if not one.value:
        one.error = _("Give a value.")
    return one.value


def types_of(column: Column) -> dict[str, str]:
    """The operators that a column can be asked by, each with the type of condition that it makes."""
    found = dict.fromkeys(column.operators, column.type)
    for kind, operators in column.others.items():
        for operator in operators:
            found.setdefault(operator, kind)
    return found


def shown_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    if isinstance(value, float):
        return str(value).removesuffix(".0")
    return "" if value is None else str(value)


def percent_of(share: float) -> str:
    return f"{share * 100:.6g}"


def in_units(seconds: int) -> tuple[str, str]:
    """As people say it: 1800 is 30 minutes."""
    for name, _label, size in reversed(UNITS):
        if seconds and seconds % size == 0:
            return str(seconds // size), name
    return str(seconds), "s"


def read_schedule(draft: RuleDraft, schedule: Schedule) -> None:
    draft.crontab, draft.timezone, draft.window = schedule.crontab, schedule.timezone, schedule.window
    draft.sample = "" if schedule.sample is None else str(schedule.sample)
    minute, hour, *days = (schedule.crontab.split() + ["*"] * 5)[:5]
    draft.rhythm = "cron"
    if not (minute.isdigit() and hour.isdigit()):
        return
    if days == ["*", "*", "*"]:
        draft.rhythm = "daily"
    elif days[:2] == ["*", "*"] and days[2] in dict(WEEKDAYS):
        draft.rhythm, draft.weekday = "weekly", days[2]
    elif days == ["1", "*", "*"]:
        draft.rhythm = "monthly"
    if draft.rhythm != "cron":
        draft.time = f"{int(hour):02d}:{int(minute):02d}"


def of_post(data: QueryDict) -> RuleDraft:
    """What was typed, as it was typed; its evaluators are read by `assign`."""

    def text(name: str) -> str:
        return data.get(name, "").replace("\x00", "").strip()[:_LONGEST]

    def column(name: str) -> list[str]:
        # Nothing is cut: what is too long or too many is refused by those who check the filter.
        return [_as_typed(one) for one in data.getlist(name)[: MOST_FILTERS + 1]]

    def one_of(name: str, allowed: Any, otherwise: str) -> str:
        return text(name) if text(name) in allowed else otherwise

    return RuleDraft(
        rule=text("rule"),
        name=text("name")[:255],
        target=one_of("target", TargetKind.values, TargetKind.OBSERVATION.value),
        conditions=[
            Condition(name, operator, value, key, read_object(raw))
            for name, operator, value, key, raw in zip(
                column("column"), column("operator"), column("condition"), column("key"), column("raw"), strict=False
            )
        ],
        percent=text("percent"),
        delay=text("delay"),
        unit=one_of("unit", _SECONDS, "s"),
        cap=text("cap"),
        rhythm=one_of("rhythm", dict(RHYTHMS), ""),
        time=text("time"),
        weekday=one_of("weekday", dict(WEEKDAYS), "1"),
        crontab=text("crontab"),
        timezone=text("timezone") or "UTC",
        window=one_of("window", dict(WINDOWS), "since_last"),
        sample=text("sample"),
    )


def _as_typed(text: str) -> str:
    return text.replace("\x00", "").strip()


def read_assigned(data: QueryDict, assigned: list[Assigned]) -> None:
    """What the form says of each evaluator: whether it is chosen, and its own mapping."""
    chosen, own = set(data.getlist("evaluator")), set(data.getlist("own"))
    for one in assigned:
        id_ = one.evaluator.pk
        one.is_chosen, one.is_own = id_ in chosen, id_ in own
        optional = set(data.getlist(f"optional-{id_}"))
        rows = zip(data.getlist(f"source-{id_}"), data.getlist(f"path-{id_}"), strict=False)
        for row, (source, path) in zip(one.rows, rows, strict=False):
            row.source, row.path = source.replace("\x00", "")[:100], path.replace("\x00", "").strip()[:1000]
            row.is_optional = row.variable in optional


def change_shape(draft: RuleDraft, wish: str) -> None:
    """`add-condition`, `remove-condition:2`, for whoever has no script."""
    name, _colon, place = wish.partition(":")
    at = whole_number(place)
    if name == "add-condition" and len(draft.conditions) < MOST_FILTERS:
        draft.conditions.append(Condition())
    elif name == "remove-condition" and at is not None and at < len(draft.conditions):
        del draft.conditions[at]
