"""The values of the query language: what a field is compared with, read as the kind of the field asks for."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext as _

from tracing.queries.explorer.fields import Field, Kind
from tracing.queries.filters import LARGEST_NUMBER
from tracing.queries.periods import is_known_year

_UNITS = {
    "s": {"": 1.0, "s": 1.0, "ms": 0.001, "us": 1e-6, "µs": 1e-6, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0},
    "$": {"": 1.0, "$": 1.0, "usd": 1.0, "ct": 0.01, "¢": 0.01},
    "": {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9},
}
_NUMBER = re.compile(r"\$?\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([^\d\s.]*)\Z")
_TRUE, _FALSE = {"true", "yes", "1"}, {"false", "no", "0"}


@dataclass(frozen=True, slots=True)
class Value:
    """What a field is compared with. `operator` is `=`, `*` (pattern), `>`, `>=`, `<`, `<=`, `..` or `has`."""

    operator: str
    text: str
    start: int
    end: int
    #: of comparisons: number or time; of `..` the lower end, which may be open
    number: Any = None
    upper: Any = None

    @property
    def is_plain(self) -> bool:
        """Whether it is one value of a facet."""
        return self.operator == "="


@dataclass(frozen=True, slots=True)
class ValueReader:
    """One value of a term, as the kind of its field asks for."""

    field: Field
    text: str
    operator: str
    is_quoted: bool
    start: int
    end: int
    tell: Callable[[str, int, int], None]

    def value(self) -> Value | None:
        if not self.text and not self.is_quoted:
            return self._problem(_("A value is missing after %(name)s:") % {"name": self.field.name})
        if self.field.is_compared and not self.is_quoted:
            is_open = self.field.has_keys
            if ".." in self.text and not self.operator:
                found = self._range()
                if found is not None or not is_open:
                    return found
            elif self.operator in (">", ">=", "<", "<="):
                number = self._number(self.text)
                return None if number is None else self._made(self.operator, number)
            elif not is_open:
                return self._equal()
        return self._text()

    def _made(self, operator: str, number: Any = None, upper: Any = None) -> Value:
        return Value(operator, self.text, self.start, self.end, number, upper)

    def _problem(self, message: str) -> Value | None:
        """Tells it, and gives nothing to go on with."""
        self.tell(message, self.start, self.end)
        return None

    def _text(self) -> Value | None:
        kind = self.field.kind
        if self.operator in (">", ">=", "<", "<="):
            return self._problem(
                _("%(name)s is text, which %(operator)s cannot compare. In quotes it is looked for as it is.")
                % {"name": self.field.name, "operator": self.operator}
            )
        if kind in (Kind.NUMBER, Kind.TIME):
            return self._equal()
        if kind is Kind.BOOLEAN:
            return self._boolean()
        if kind is Kind.CHOICE and self.text.upper() in self.field.choices:
            return replace(self._made("="), text=self.text.upper())
        if not self.is_quoted and not self.operator and "*" in self.text:
            return self._made("*") if self.text.strip("*") else replace(self._made("has"), text="")
        if kind is Kind.CHOICE:
            choices = " ".join(self.field.choices)
            return self._problem(_("%(name)s is one of %(choices)s.") % {"name": self.field.name, "choices": choices})
        return self._made("=")

    def _boolean(self) -> Value | None:
        word = self.text.lower()
        if word in _TRUE | _FALSE:
            return self._made("=", word in _TRUE)
        return self._problem(_("%(name)s is true or false.") % {"name": self.field.name})

    def _equal(self) -> Value | None:
        number = self._number(self.text)
        if number is None:
            return None
        if isinstance(number, datetime) and len(self.text) == len("2026-01-31"):
            return self._made("..", number, number + timedelta(days=1) - timedelta(microseconds=1))
        return self._made("=", number)

    def _range(self) -> Value | None:
        low, _dots, high = self.text.partition("..")
        is_quiet = self.field.has_keys
        ends = [self._number(end, is_quiet=is_quiet) if end else None for end in (low, high)]
        if any(end and found is None for end, found in zip((low, high), ends, strict=True)):
            return None
        if ends == [None, None]:
            return None if is_quiet else self._problem(_("A range needs an end: 1..5, 1.. or ..5."))
        if isinstance(ends[1], datetime) and len(high) == len("2026-01-31"):
            ends[1] += timedelta(days=1) - timedelta(microseconds=1)
        return self._made("..", *ends)

    def _number(self, text: str, *, is_quiet: bool = False) -> Any:
        """A number in the field's unit, or a time; None, and a problem unless quiet, for anything else."""
        found = _time(text) if self.field.kind is Kind.TIME else _figure(text, self.field.unit)
        if found is None and not is_quiet:
            self._problem(self._needs(text))
        return found

    def _needs(self, text: str) -> str:
        names = {"name": self.field.name, "text": text}
        if self.field.kind is Kind.TIME:
            return _("%(name)s is a time, as 2026-01-31 or 2026-01-31T18:30; %(text)s is not.") % names
        if self.field.unit == "s":
            return _("%(name)s is in seconds, as 2, 0.5 or 300ms; %(text)s is not a duration.") % names
        if self.field.unit == "$":
            return _("%(name)s is in dollars, as 0.01; %(text)s is not an amount.") % names
        return _("%(name)s needs a number here; %(text)s is not one.") % names


def _figure(text: str, unit: str) -> float | None:
    found = _NUMBER.match(text.strip().replace("_", ""))
    if not found or ("$" in text and unit != "$"):
        return None
    factor = _UNITS[unit].get(found.group(2).lower())
    if factor is None:
        return None
    try:
        number = float(found.group(1)) * factor if factor >= 1 else float(found.group(1)) / (1 / factor)
    except (OverflowError, ValueError):
        return None
    if abs(number) > LARGEST_NUMBER:
        return None
    return int(number) if number.is_integer() else number


def _time(text: str) -> datetime | None:
    """Local unless it names its zone."""
    try:
        day = parse_date(text)
        at = parse_datetime(text) or (datetime(day.year, day.month, day.day) if day else None)
    except ValueError:
        return None
    if at is None:
        return None
    try:
        at = at if timezone.is_aware(at) else timezone.make_aware(at)
    except OverflowError:
        return None
    return at if is_known_year(at) else None
