"""The definition of a model as clients send it, read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, TypeGuard

from config.errors import Invalid
from tracing.api.params import parse_time
from tracing.ingest.issues import (
    Issue,
    Path,
    check_boolean,
    check_option,
    check_text,
    check_texts,
    custom,
    wrong_type,
)
from tracing.models.prices import Model, Tokenizer, Unit
from tracing.pricing import compile_pattern
from tracing.pricing.definition import (
    HIGHEST_PRIORITY,
    LONGEST_KEY,
    LONGEST_TIER_NAME,
    ModelDefinition,
    TierDefinition,
    broken_rule,
    flat,
)
from tracing.pricing.patterns import LONGEST_PATTERN
from tracing.pricing.rates import LONGEST_USAGE_PATTERN, OPERATORS

_FLAT = {"inputPrice": "input", "outputPrice": "output", "totalPrice": "total"}
_TOKENIZERS = (Tokenizer.OPENAI.value, Tokenizer.CLAUDE.value)
_SOURCES = ("model_parameters", "metadata")
_LONGEST_NAME = Model._meta.get_field("name").max_length or 0
_EITHER = "Must provide either flat prices (inputPrice/outputPrice/totalPrice) OR pricingTiers"
_DEEPEST = 50


def read_model(body: Any) -> ModelDefinition:
    """Raises Invalid with all that is wrong, each with its path."""
    if not isinstance(body, dict):
        raise Invalid(issues=[wrong_type("object", body, ())])
    issues: list[Issue] = []
    check_text(body, "modelName", (), issues, required=True, minimum=1, maximum=_LONGEST_NAME)
    check_text(body, "matchPattern", (), issues, required=True, minimum=1, maximum=LONGEST_PATTERN)
    check_option(body, "unit", (), issues, tuple(Unit.values))
    check_option(body, "tokenizerId", (), issues, _TOKENIZERS)
    for name in _FLAT:
        _check_number(body, name, (), issues)
    start_date = _start_date(body, issues)
    tiers = _tiers(body, issues)
    _refuse(issues)
    _check_depth(body, issues)
    _check_pricing(body, tiers, issues)
    _refuse(issues)
    _check_pattern(body["matchPattern"])
    return ModelDefinition(
        name=body["modelName"],
        match_pattern=body["matchPattern"],
        tiers=tiers or [flat({key: _exact(body[name]) for name, key in _FLAT.items() if body.get(name) is not None})],
        unit=body.get("unit") or "",
        start_date=start_date,
        tokenizer=body.get("tokenizerId") or "",
        tokenizer_config={} if body.get("tokenizerConfig") is None else body["tokenizerConfig"],
    )


def _refuse(issues: list[Issue]) -> None:
    if issues:
        raise Invalid(issues=issues)


def _check_pricing(body: dict[str, Any], tiers: list[TierDefinition], issues: list[Issue]) -> None:
    is_flat = any(body.get(name) is not None for name in _FLAT)
    if is_flat == bool(tiers):
        issues.append(custom((), f"{_EITHER}, not both" if tiers else _EITHER))
    elif is_flat and body.get("totalPrice") and (body.get("inputPrice") or body.get("outputPrice")):
        issues.append(custom(("totalPrice",), "If input and/or output price is set, total price must be null"))
    elif tiers and (rule := broken_rule(tiers)):
        issues.append(custom(("pricingTiers",), rule))


def _check_pattern(pattern: str) -> None:
    try:
        compile_pattern(pattern)
    except Invalid as error:
        raise Invalid(f"matchPattern is not a valid regex pattern. {error.message}") from None


def _start_date(body: dict[str, Any], issues: list[Issue]) -> datetime | None:
    """A time, or a day as the midnight it begins with."""
    text = body.get("startDate")
    if text is None:
        return None
    moment = (parse_time(text) or _midnight(text)) if isinstance(text, str) else None
    if moment is None:
        issues.append(wrong_type("date", text, ("startDate",)))
    return moment


def _midnight(text: str) -> datetime | None:
    try:
        moment = datetime.combine(date.fromisoformat(text), time(), UTC)
    except ValueError:
        return None
    return parse_time(moment.isoformat())


def _tiers(body: dict[str, Any], issues: list[Issue]) -> list[TierDefinition]:
    """Those that can be read; the others are told in `issues`."""
    given = body.get("pricingTiers")
    if given is None:
        return []
    if not isinstance(given, list):
        issues.append(wrong_type("array", given, ("pricingTiers",)))
        return []
    read = [_tier(one, ("pricingTiers", position), issues) for position, one in enumerate(given)]
    return [tier for tier in read if tier is not None]


def _tier(given: Any, path: Path, issues: list[Issue]) -> TierDefinition | None:
    if not isinstance(given, dict):
        issues.append(wrong_type("object", given, path))
        return None
    before = len(issues)
    check_text(given, "name", path, issues, required=True, minimum=1, maximum=LONGEST_TIER_NAME)
    if given.get("isDefault") is None:
        issues.append(wrong_type("boolean", None, (*path, "isDefault"), is_present="isDefault" in given))
    check_boolean(given, "isDefault", path, issues)
    _check_number(given, "priority", path, issues, required=True, high=HIGHEST_PRIORITY, is_whole=True)
    conditions = _conditions(given, path, issues)
    prices = _prices(given, path, issues)
    if len(issues) > before:
        return None
    return TierDefinition(given["name"], prices, given["isDefault"], int(given["priority"]), conditions)


def _prices(given: dict[str, Any], path: Path, issues: list[Issue]) -> dict[str, Decimal]:
    prices = given.get("prices")
    if not isinstance(prices, dict):
        issues.append(wrong_type("record", prices, (*path, "prices"), is_present="prices" in given))
        return {}
    for key in prices:
        _check_number(prices, key, (*path, "prices"), issues, required=True)
        if len(key) > LONGEST_KEY:
            issues.append(custom((*path, "prices", key), f"Too big: expected at most {LONGEST_KEY} characters"))
    return {key: _exact(price) for key, price in prices.items() if _is_number(price)}


def _conditions(given: dict[str, Any], path: Path, issues: list[Issue]) -> list[dict[str, Any]]:
    conditions, path = given.get("conditions"), (*path, "conditions")
    if not isinstance(conditions, list):
        issues.append(wrong_type("array", conditions, path, is_present="conditions" in given))
        return []
    return [_condition(condition, (*path, position), issues) for position, condition in enumerate(conditions)]


def _condition(given: Any, path: Path, issues: list[Issue]) -> dict[str, Any]:
    """One with a `source` looks at an attribute of the call, any other at its usage."""
    if not isinstance(given, dict):
        issues.append(wrong_type("object", given, path))
        return {}
    return _attribute_condition(given, path, issues) if "source" in given else _usage_condition(given, path, issues)


def _usage_condition(given: dict[str, Any], path: Path, issues: list[Issue]) -> dict[str, Any]:
    before = len(issues)
    check_text(given, "usageDetailPattern", path, issues, required=True, minimum=1, maximum=LONGEST_USAGE_PATTERN)
    if len(issues) == before:
        try:
            compile_pattern(given["usageDetailPattern"])
        except Invalid as error:
            issues.append(custom((*path, "usageDetailPattern"), error.message))
    check_option(given, "operator", path, issues, OPERATORS, required=True)
    _check_number(given, "value", path, issues, required=True)
    check_boolean(given, "caseSensitive", path, issues)
    names = ("usageDetailPattern", "operator", "value")
    return {**{name: given.get(name) for name in names}, "caseSensitive": bool(given.get("caseSensitive"))}


def _attribute_condition(given: dict[str, Any], path: Path, issues: list[Issue]) -> dict[str, Any]:
    check_option(given, "source", path, issues, _SOURCES, required=True)
    check_text(given, "key", path, issues, required=True, minimum=1, maximum=LONGEST_KEY)
    check_option(given, "operator", path, issues, ("in",), required=True)
    values = given.get("values")
    if values is None:
        issues.append(wrong_type("array", None, (*path, "values"), is_present="values" in given))
    elif values == []:
        issues.append(_bound("too_small", "minimum", 1, (*path, "values"), "array", "array to have >=1 items"))
    check_texts(given, "values", path, issues)
    return {name: given.get(name) for name in ("source", "key", "operator", "values")}


def _check_number(
    source: Mapping[str, Any],
    key: str,
    path: Path,
    issues: list[Issue],
    *,
    required: bool = False,
    high: int | None = None,
    is_whole: bool = False,
) -> None:
    """A number from 0 to `high`."""
    value = source.get(key)
    path = (*path, key)
    if value is None and not required:
        return
    if not _is_number(value):
        issues.append(wrong_type("number", value, path, is_present=key in source))
        return
    if is_whole and value != int(value):
        issues.append(wrong_type("int", value, path))
    elif value < 0:
        issues.append(_bound("too_small", "minimum", 0, path, "number", "number to be >=0"))
    elif high is not None and value > high:
        issues.append(_bound("too_big", "maximum", high, path, "number", f"number to be <={high}"))


def _bound(code: str, bound: str, limit: int, path: Path, origin: str, expected: str) -> Issue:
    message = f"Too {code.removeprefix('too_')}: expected {expected}"
    return {"origin": origin, "code": code, bound: limit, "inclusive": True, "path": path, "message": message}


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _exact(number: int | float) -> Decimal:
    """By way of the text: a price means its decimal digits."""
    return Decimal(str(number)).normalize() + 0


def _check_depth(body: dict[str, Any], issues: list[Issue]) -> None:
    """What is nested without end nobody can read back."""
    waiting: list[tuple[Any, str, int]] = [(value, name, 1) for name, value in body.items()]
    while waiting:
        value, name, depth = waiting.pop()
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        if inner and depth >= _DEEPEST:
            issues.append(custom((name,), f"Nested deeper than {_DEEPEST} levels"))
            return
        waiting.extend((one, name, depth + 1) for one in inner)
