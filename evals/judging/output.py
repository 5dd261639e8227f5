"""What a judge's answer has to be: a number, a truth, one or several categories or a text, each with its reasons."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from config.errors import Invalid, issue

DATA_TYPES = ("NUMERIC", "BOOLEAN", "CATEGORICAL", "TEXT")
#: as many characters as scores keep of a text
LONGEST_TEXT = 500
LONGEST_LABEL = 200
_MOST_CATEGORIES = 100
_LONGEST_INSTRUCTIONS = 10_000
#: beyond it whole numbers are not exact, and a bound means nothing
_LARGEST = 1e15

Issue = dict[str, object]


@dataclass(frozen=True, slots=True)
class Category:
    label: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """What a judge said. `value` is a float, a bool, a tuple of labels or a text, by the data type."""

    value: float | bool | tuple[str, ...] | str
    reasoning: str

    @property
    def shown(self) -> str:
        """As lists show it: number, True or False, categories, text."""
        match self.value:
            case bool():
                return "True" if self.value else "False"
            case float() | int():
                return f"{self.value:.10g}"
            case tuple():
                return ", ".join(self.value)[:LONGEST_TEXT]
        return self.value


class Unreadable(Exception):
    """An answer that does not fit; the message says why."""


@dataclass(frozen=True, slots=True)
class OutputDefinition:
    data_type: str
    min_value: float | None = None
    max_value: float | None = None
    categories: tuple[Category, ...] = ()
    allows_several: bool = False
    reasoning_instructions: str = ""
    value_instructions: str = ""

    def as_json(self) -> dict[str, Any]:
        """What `read_output` reads."""
        return {
            "dataType": self.data_type,
            "minValue": self.min_value,
            "maxValue": self.max_value,
            "categories": [{"label": one.label, "description": one.description} for one in self.categories],
            "shouldAllowMultipleMatches": self.allows_several,
            "scoreReasoningInstructions": self.reasoning_instructions,
            "scoreValueInstructions": self.value_instructions,
        }

    def schema(self) -> dict[str, Any]:
        """JSON schema of an answer. The reasons come first, so that a model has thought before it decides."""
        return {
            "type": "object",
            "properties": {
                "reasoning": {
                    "type": "string",
                    "description": self.reasoning_instructions or "Why the value is what it is, in a few sentences.",
                },
                "score": self._value_schema(),
            },
            "required": ["reasoning", "score"],
            "additionalProperties": False,
        }

    def _value_schema(self) -> dict[str, Any]:
        described = {"description": self._value_description()}
        if self.data_type == "NUMERIC":
            # Bounds stand in the description alone: several providers refuse `minimum` and `maximum`.
            return {"type": "number", **described}
        if self.data_type == "BOOLEAN":
            return {"type": "boolean", **described}
        if self.data_type == "TEXT":
            return {"type": "string", **described}
        one = {"type": "string", "enum": [category.label for category in self.categories]}
        return {"type": "array", "items": one, **described} if self.allows_several else {**one, **described}

    def _value_description(self) -> str:
        parts = [self.value_instructions] if self.value_instructions else []
        if self.data_type == "NUMERIC":
            parts.append(self._bounds())
        elif self.data_type == "BOOLEAN" and not parts:
            parts.append("true or false")
        elif self.data_type == "CATEGORICAL":
            parts.append("All categories that fit, at least one." if self.allows_several else "Exactly one category.")
            parts += [f"{one.label}: {one.description}" for one in self.categories if one.description]
        elif self.data_type == "TEXT":
            parts.append(f"A text of at most {LONGEST_TEXT} characters.")
        return "\n".join(part for part in parts if part)

    def _bounds(self) -> str:
        if self.min_value is not None and self.max_value is not None:
            return f"A number from {self.min_value:g} to {self.max_value:g}."
        if self.min_value is not None:
            return f"A number that is at least {self.min_value:g}."
        return f"A number that is at most {self.max_value:g}." if self.max_value is not None else "A number."

    def in_words(self) -> str:
        """How a model that knows neither schemas nor tools is told what to answer."""
        example = {
            "NUMERIC": "0.5",
            "BOOLEAN": "true",
            "TEXT": '"…"',
            "CATEGORICAL": '["…"]' if self.allows_several else '"…"',
        }[self.data_type]
        lines = [
            "Answer with one JSON object and nothing else, no code fence:",
            f'{{"reasoning": "…", "score": {example}}}',
            f"reasoning: {self.schema()['properties']['reasoning']['description']}",
            f"score: {self._value_description()}",
        ]
        if self.data_type == "CATEGORICAL":
            lines.append("Categories: " + ", ".join(f'"{one.label}"' for one in self.categories))
        return "\n".join(lines)

    def read(self, found: Any) -> Judged:
        """What an answer says that is JSON already. Raises Unreadable: nothing is bent until it fits."""
        if not isinstance(found, dict):
            raise Unreadable(_("The answer is no JSON object."))
        if "score" not in found:
            raise Unreadable(_("The answer has no “score”."))
        reasoning = found.get("reasoning")
        return Judged(self._read_value(found["score"]), plain(reasoning) if isinstance(reasoning, str) else "")

    def _read_value(self, given: Any) -> float | bool | tuple[str, ...] | str:
        if self.data_type == "NUMERIC":
            return self._number(given)
        if self.data_type == "BOOLEAN":
            return _truth(given)
        if self.data_type == "TEXT":
            if not isinstance(given, str) or not plain(given).strip():
                raise Unreadable(_("The score is no text."))
            if len(given) > LONGEST_TEXT:
                raise Unreadable(_("The score has more than %(most)d characters.") % {"most": LONGEST_TEXT})
            return plain(given)
        return self._labels(given)

    def _number(self, given: Any) -> float:
        if isinstance(given, str):
            try:
                given = float(given.strip())
            except ValueError:
                raise Unreadable(_("The score “%(score)s” is no number.") % {"score": given[:100]}) from None
        if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
            raise Unreadable(_("The score is no number."))
        if self.min_value is not None and given < self.min_value:
            raise Unreadable(_("The score %(score)g is below %(bound)g.") % {"score": given, "bound": self.min_value})
        if self.max_value is not None and given > self.max_value:
            raise Unreadable(_("The score %(score)g is above %(bound)g.") % {"score": given, "bound": self.max_value})
        return float(given)

    def _labels(self, given: Any) -> tuple[str, ...]:
        asked = given if isinstance(given, list) else [given]
        if not asked or not all(isinstance(one, str) for one in asked):
            raise Unreadable(_("The score names no category."))
        by_folded = {one.label.strip().casefold(): one.label for one in self.categories}
        found = []
        for one in asked:
            label = by_folded.get(one.strip().casefold())
            if label is None:
                raise Unreadable(_("“%(label)s” is none of the categories.") % {"label": one[:100]})
            found.append(label)
        found = list(dict.fromkeys(found))
        if len(found) > 1 and not self.allows_several:
            raise Unreadable(_("The score names several categories where one is asked for."))
        return tuple(found)


def plain(text: str) -> str:
    """Without what no database keeps: NUL, and halves of characters as a repaired answer may hold them."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def _truth(given: Any) -> bool:
    if isinstance(given, bool):
        return given
    if isinstance(given, str) and given.strip().casefold() in ("true", "false", "yes", "no"):
        return given.strip().casefold() in ("true", "yes")
    if isinstance(given, int | float) and given in (0, 1):
        return bool(given)
    raise Unreadable(_("The score is neither true nor false."))


# --- Read from people and programs -----------------------------------------------------------------------
def read_output(data: Any) -> OutputDefinition:
    """A checked definition. Raises Invalid with an issue for each field that is wrong."""
    if not isinstance(data, dict):
        raise Invalid(issues=[issue((), _("Say what the answer has to be."))])
    kind = data.get("dataType")
    if kind not in DATA_TYPES:
        raise Invalid(issues=[issue(("dataType",), _("Choose one of: %(all)s.") % {"all": ", ".join(DATA_TYPES)})])
    issues: list[Issue] = []
    low, high = _bounds_of(data, issues) if kind == "NUMERIC" else (None, None)
    categories = _categories_of(data, issues) if kind == "CATEGORICAL" else ()
    several = data.get("shouldAllowMultipleMatches")
    if several is not None and not isinstance(several, bool):
        issues.append(issue(("shouldAllowMultipleMatches",), _("This is true or false.")))
    texts = [_text_of(data, key, issues) for key in ("scoreReasoningInstructions", "scoreValueInstructions")]
    if issues:
        raise Invalid(issues=issues)
    return OutputDefinition(str(kind), low, high, categories, bool(several) and kind == "CATEGORICAL", *texts)


def _bounds_of(data: dict[str, Any], issues: list[Issue]) -> tuple[float | None, float | None]:
    found: list[float | None] = []
    for key in ("minValue", "maxValue"):
        value = data.get(key)
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LARGEST
        if value is not None and not is_number:
            issues.append(issue((key,), _("This is a number.")))
            value = None
        found.append(None if value is None else float(value))
    low, high = found
    if low is not None and high is not None and low >= high:
        issues.append(issue(("maxValue",), _("The largest value has to be above the smallest.")))
    return low, high


def _categories_of(data: dict[str, Any], issues: list[Issue]) -> tuple[Category, ...]:
    given = data.get("categories")
    if not isinstance(given, list) or not 2 <= len(given) <= _MOST_CATEGORIES:
        issues.append(issue(("categories",), _("Name from 2 to %(most)d categories.") % {"most": _MOST_CATEGORIES}))
        return ()
    found: list[Category] = []
    seen: set[str] = set()
    for number, one in enumerate(given):
        one = {"label": one} if isinstance(one, str) else one
        label = one.get("label") if isinstance(one, dict) else None
        described = (one.get("description") or "") if isinstance(one, dict) else ""
        if not isinstance(label, str) or not label.strip() or len(label) > LONGEST_LABEL or "\x00" in label:
            issues.append(issue(("categories", number), _("A category needs a name.")))
        elif label.strip().casefold() in seen:
            issues.append(issue(("categories", number), _("“%(label)s” is there twice.") % {"label": label}))
        elif not isinstance(described, str) or len(described) > _LONGEST_INSTRUCTIONS:
            issues.append(issue(("categories", number), _("The description is a text.")))
        else:
            seen.add(label.strip().casefold())
            found.append(Category(label.strip(), described.replace("\x00", "")))
    return tuple(found)


def _text_of(data: dict[str, Any], key: str, issues: list[Issue]) -> str:
    value = data.get(key)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > _LONGEST_INSTRUCTIONS:
        issues.append(
            issue((key,), _("This is a text of at most %(most)d characters.") % {"most": _LONGEST_INSTRUCTIONS})
        )
        return ""
    return value.replace("\x00", "")
