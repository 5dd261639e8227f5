"""Filters in a form: one line for each condition, with the comparisons that fit its column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from config.api.values import from_json
from config.errors import Invalid
from tracing.queries.dashboards.views import Unit, unit_of
from tracing.queries.filters import FITS, MOST_FILTERS, OPERATORS, Column
from tracing.queries.periods import parse_time
from tracing.views.dashboards.words import dimension_label

#: operators that need no value
ALONE = ("is null", "is not null", "is set", "is not set")
OPERATOR_WORDS: Mapping[str, str | Promise] = {
    "any of": lazy("is any of"),
    "none of": lazy("is none of"),
    "all of": lazy("has all of"),
    "=": lazy("is"),
    "<>": lazy("is not"),
    "contains": lazy("contains"),
    "does not contain": lazy("does not contain"),
    "starts with": lazy("starts with"),
    "ends with": lazy("ends with"),
    ">": ">",
    "<": "<",
    ">=": "≥",
    "<=": "≤",
    "is set": lazy("is there"),
    "is not set": lazy("is not there"),
    "is null": lazy("is empty"),
    "is not null": lazy("is not empty"),
}
_KEYED = ("stringObject", "numberObject", "booleanObject", "categoryOptions")
_SEVERAL = ("stringOptions", "arrayOptions", "categoryOptions")
#: of the types that fit a kind of column, the order in which their operators are offered
_ORDER = ("stringOptions", "arrayOptions", "stringObject", "number", "datetime", "boolean", "string", "null")
_A_TIME = "2026-11-21T08:00:00Z"
#: of a value in the form: some thousand ids
_LONGEST = 100_000

Columns = Mapping[str, Column]
Item = dict[str, Any]


@dataclass(slots=True)
class Condition:
    """One line; values of a list are parted by commas."""

    column: str = ""
    operator: str = ""
    value: str = ""
    key: str = ""
    #: what an API client wrote that the form cannot show: kept as it is
    raw: Item | None = None
    error: str = ""


class Row:
    """A condition as the form shows it."""

    def __init__(self, condition: Condition, columns: Columns) -> None:
        self.condition = condition
        self._types = types_of(columns[condition.column]) if condition.column in columns else {}
        self.is_known = bool(self._types) and condition.raw is None

    @property
    def raw(self) -> str:
        return orjson.dumps(self.condition.raw).decode() if self.condition.raw else ""

    @property
    def label(self) -> str:
        return dimension_label(self.condition.column)

    @property
    def operators(self) -> list[tuple[str, Any]]:
        return [(name, OPERATOR_WORDS.get(name, name)) for name in self._types]

    @property
    def kind(self) -> str:
        """The type of filter that is chosen, or would be."""
        return self._types.get(self.condition.operator) or next(iter(self._types.values()), "")

    @property
    def is_keyed(self) -> bool:
        return self.kind in _KEYED

    @property
    def is_alone(self) -> bool:
        return self.condition.operator in ALONE

    @property
    def hint(self) -> str:
        if self.kind in _SEVERAL:
            return _("values, parted by commas")
        if unit_of(self.condition.column, "avg") is Unit.MILLISECONDS:
            return _("milliseconds")
        return _A_TIME if self.kind == "datetime" else _("value")


def types_of(column: Column) -> dict[str, str]:
    """The operators that a column can be asked by, each with the type of filter that it makes."""
    found: dict[str, str] = {}
    for kind in sorted(FITS.get(column.kind, ()), key=lambda one: _ORDER.index(one) if one in _ORDER else len(_ORDER)):
        if column.kind in ("boolean", "list") and kind in ("string", "stringOptions"):
            continue  # for clients that know no better
        for operator in OPERATORS[kind]:
            found.setdefault(operator, kind)
    return found


def conditions_of(items: Iterable[Item], columns: Columns) -> list[Condition]:
    """Lines for filters as they are kept; what would not come back the same is kept as it is."""
    found = []
    for item in items:
        value = item.get("value")
        shown = Condition(
            str(item.get("column")), str(item.get("operator")), shown_value(value), str(item.get("key") or "")
        )
        again = items_of([shown], columns)
        is_same = bool(again) and all(again[0].get(name) == item.get(name) for name in ("type", "value", "operator"))
        shown.error = ""
        shown.raw = None if is_same or (shown.operator in ALONE and again) else item
        found.append(shown)
    return found


def items_of(conditions: Sequence[Condition], columns: Columns) -> list[Item]:
    """As the API writes them. What is wrong with a line is said at it. Lines without a column are no conditions."""
    return [one.raw or _item(one, columns) for one in conditions if one.column or one.raw]


def whole_items(conditions: Sequence[Condition], columns: Columns) -> list[Item]:
    """Of lines that are being written those that say something already; nothing is said at the others."""
    lines = [replace(one, error="") for one in conditions]
    items = [items_of([one], columns) for one in lines]
    return [item for one, found in zip(lines, items, strict=True) for item in found if not one.error]


def _item(one: Condition, columns: Columns) -> Item:
    if one.column not in columns:
        one.error = _("There is no “%(name)s” here.") % {"name": dimension_label(one.column)[:60]}
        return {}
    types = types_of(columns[one.column])
    if one.operator not in types:
        one.operator = next(iter(types))
    kind = types[one.operator]
    item = {"type": kind, "column": one.column, "operator": one.operator, "value": _value(one, kind)}
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
            number = float(one.value.replace(",", "."))
        except ValueError:
            one.error = _("“%(text)s” is no number.") % {"text": one.value[:40]} if one.value else _("Give a number.")
            return 0
        return int(number) if number.is_integer() else number
    if kind == "boolean":
        one.value = "false" if one.value == "false" else "true"
        return one.value == "true"
    if not one.value:
        one.error = _("Give a value.")
    elif kind == "datetime" and parse_time(one.value) is None:
        one.error = _("“%(text)s” is no time. Write one like %(example)s.") % {
            "text": one.value[:40],
            "example": _A_TIME,
        }
    return one.value


def shown_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    return "" if value is None else str(value)


def of_post(data: QueryDict) -> list[Condition]:
    """All of it: what is too long or too many is said, as cut short it would mean something else."""

    def column(name: str) -> list[str]:
        return [one.replace("\x00", "").strip() for one in data.getlist(name)]

    found = [
        Condition(name, operator, value, key, _object(raw))
        for name, operator, value, key, raw in zip(
            column("column"), column("operator"), column("condition"), column("key"), column("raw"), strict=False
        )
    ]
    for number, one in enumerate(found):
        if number >= MOST_FILTERS or max(len(one.column), len(one.value), len(one.key)) > _LONGEST:
            one.error = _("That is more than a filter can be.")
    return found


def _object(text: str) -> Item | None:
    try:
        found = from_json(text.encode()) if text else None
    except Invalid:
        return None
    return found if isinstance(found, dict) else None


def change_lines(conditions: list[Condition], wish: str) -> None:
    """What a button of the form asks for: `add-condition`, or `remove-condition:<number>`."""
    if wish == "add-condition":
        conditions.append(Condition())
    name, _colon, number = wish.partition(":")
    if name == "remove-condition" and number.isascii() and number.isdigit() and int(number) < len(conditions):
        del conditions[int(number)]


def put_issues(conditions: Sequence[Condition], number: Any, message: str) -> bool:
    """Says at a line what was found wrong with it later; whether there is such a line."""
    lines = [one for one in conditions if one.column or one.raw]
    if not isinstance(number, int) or number >= len(lines):
        return False
    lines[number].error = message
    return True
