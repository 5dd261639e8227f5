"""A model's definition while somebody edits it: what was typed, what is wrong with it, and what it means."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _

from config.errors import Invalid
from tracing.models.prices import Model, Tokenizer, Unit
from tracing.pricing import compile_pattern
from tracing.pricing.definition import FLAT_TIER, LONGEST_KEY, LONGEST_TIER_NAME, ModelDefinition, TierDefinition
from tracing.pricing.kinds import grouped
from tracing.pricing.patterns import LONGEST_PATTERN
from tracing.pricing.rates import LONGEST_USAGE_PATTERN, OPERATORS

MOST_ROWS, MOST_TIERS, MOST_CONDITIONS = 60, 20, 8
LONGEST_NAME = 255
SOURCES = ("usage", "model_parameters", "metadata")
#: what "per" counts: the price of a million units, or of one
PER = {"million": Decimal(1_000_000), "unit": Decimal(1)}
_HIGHEST_PRICE = Decimal(1_000_000)
_FINEST = -18
_NEEDS_ESCAPE = re.compile(r"([\\.^$|?*+()\[\]{}])")


@dataclass
class Condition:
    """`subject`: a pattern of kinds, or a key. `value`: a number, or values parted by commas."""

    source: str = "usage"
    subject: str = ""
    operator: str = "gt"
    value: str = ""
    error: str = ""

    @property
    def is_blank(self) -> bool:
        return not self.subject.strip() and not self.value.strip()


@dataclass
class Tier:
    name: str = ""
    conditions: list[Condition] = field(default_factory=list)
    error: str = ""


@dataclass
class Price:
    text: str = ""
    error: str = ""


@dataclass
class Row:
    """A price for kinds that mean the same, parted by commas; one price for each tier."""

    kinds: str = ""
    prices: list[Price] = field(default_factory=list)
    error: str = ""

    @property
    def is_blank(self) -> bool:
        return not self.kinds.strip() and not any(price.text.strip() for price in self.prices)

    def names(self) -> list[str]:
        return [name for part in re.split(r"[,\n]", self.kinds) if (name := part.strip())]


@dataclass
class Draft:
    name: str = ""
    pattern: str = ""
    start: str = ""
    unit: str = Unit.TOKENS.value
    tokenizer: str = ""
    tokenizer_config: str = ""
    per: str = "million"
    rows: list[Row] = field(default_factory=list)
    tiers: list[Tier] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def has_errors(self) -> bool:
        parts: list[Condition | Tier | Row | Price] = [*self.tiers, *self.rows]
        parts += [condition for tier in self.tiers for condition in tier.conditions]
        parts += [price for row in self.rows for price in row.prices]
        return bool(self.errors) or any(part.error for part in parts)


def blank(name: str) -> Draft:
    rows = [Row(kind, [Price()]) for kind in ("input", "input_cached_tokens", "output")]
    return Draft(name=name, pattern=pattern_for(name) if name else "", rows=rows, tiers=[Tier(FLAT_TIER)])


def pattern_for(name: str) -> str:
    """A pattern that matches this name, in any case, and no other."""
    escaped = _NEEDS_ESCAPE.sub(r"\\\1", name)
    return f"(?i)^{escaped}$"


def of_model(model: Model) -> Draft:
    tiers = sorted(model.tiers.all(), key=lambda tier: (not tier.is_default, tier.priority))
    prices = [{key: Decimal(str(price)) for key, price in tier.prices.items()} for tier in tiers]
    return Draft(
        name=model.name,
        pattern=model.match_pattern,
        start=_start_text(model.start_date),
        unit=model.unit,
        tokenizer=model.tokenizer,
        tokenizer_config=json.dumps(model.tokenizer_config) if model.tokenizer_config else "",
        rows=[Row(", ".join(names), [Price(_per_million(one)) for one in each]) for names, each in grouped(prices)],
        tiers=[Tier(tier.name, [_condition_of(spec) for spec in tier.conditions]) for tier in tiers],
    )


def of_post(data: QueryDict) -> Draft:
    """What was typed, as it was typed."""
    tier_count = _number(data.get("tiers"), MOST_TIERS)
    rows = [
        Row(
            data.get(f"kinds-{row}", ""),
            [Price(data.get(f"price-{row}-{tier}", "").strip()) for tier in range(tier_count)],
        )
        for row in range(_number(data.get("rows"), MOST_ROWS))
    ]
    tiers = [
        Tier(
            data.get(f"tier-{tier}", "").strip(),
            [
                Condition(*(data.get(f"when-{tier}-{at}-{part}", "") for part in ("source", "subject", "op", "value")))
                for at in range(_number(data.get(f"conditions-{tier}"), MOST_CONDITIONS))
            ],
        )
        for tier in range(tier_count)
    ]
    draft = Draft(rows=rows, tiers=tiers or [Tier(FLAT_TIER)])
    for name in ("name", "pattern", "start", "unit", "tokenizer", "tokenizer_config", "per"):
        setattr(draft, name, data.get(name, "").strip())
    draft.per = draft.per if draft.per in PER else "million"
    return draft


def change_shape(draft: Draft, wish: str) -> None:
    """A row, a tier or a condition more or less, as a button of the form says."""
    what, _sep, place = wish.partition(":")
    at = [int(part) for part in place.split(".") if part.isdigit() and len(part) < 4]
    match what, at:
        case "add-row", _ if len(draft.rows) < MOST_ROWS:
            draft.rows.append(Row("", [Price() for _ in draft.tiers]))
        case "add-tier", _ if len(draft.tiers) < MOST_TIERS:
            draft.tiers.append(Tier("", [Condition()]))
            for row in draft.rows:
                row.prices.append(Price())
        case "add-condition", [tier] if tier < len(draft.tiers) and len(draft.tiers[tier].conditions) < MOST_CONDITIONS:
            draft.tiers[tier].conditions.append(Condition())
        case "remove-row", [row] if row < len(draft.rows) and len(draft.rows) > 1:
            del draft.rows[row]
        case "remove-tier", [tier] if 0 < tier < len(draft.tiers):
            del draft.tiers[tier]
            for line in draft.rows:
                del line.prices[tier]
        case "remove-condition", [tier, condition] if tier < len(draft.tiers):
            del draft.tiers[tier].conditions[condition : condition + 1]


def checked(draft: Draft) -> ModelDefinition | None:
    """What the draft means, or None with what is wrong written beside each field."""
    if not draft.name:
        draft.errors["name"] = _("Give it a name.")
    elif len(draft.name) > LONGEST_NAME:
        draft.errors["name"] = _("A name has at most %(most)d characters.") % {"most": LONGEST_NAME}
    _check_pattern(draft)
    if draft.unit not in Unit.values:
        draft.errors["unit"] = _("Choose a unit.")
    if draft.tokenizer not in Tokenizer.values:
        draft.errors["tokenizer"] = _("Choose a tokenizer, or none.")
    start, config = _start(draft), _config(draft)
    prices = _prices(draft)
    tiers = list(_tiers(draft, prices))
    if draft.has_errors:
        return None
    return ModelDefinition(draft.name, draft.pattern, tiers, draft.unit, start, draft.tokenizer, config)


def _check_pattern(draft: Draft) -> None:
    if not draft.pattern:
        draft.errors["pattern"] = _("Say which model names it is for.")
        return
    try:
        compile_pattern(draft.pattern, LONGEST_PATTERN)
    except Invalid as error:
        draft.errors["pattern"] = error.message


def _start(draft: Draft) -> datetime | None:
    if not draft.start:
        return None
    try:
        moment = datetime.combine(date.fromisoformat(draft.start), time(), UTC)
    except ValueError:
        try:
            moment = datetime.fromisoformat(draft.start)
        except ValueError:
            draft.errors["start"] = _("Write a day as 2026-01-31.")
            return None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if not 2000 <= moment.year < 2200:
        draft.errors["start"] = _("Choose a day between 2000 and 2199.")
    return moment


def _config(draft: Draft) -> dict[str, Any]:
    try:
        config = json.loads(draft.tokenizer_config) if draft.tokenizer_config else {}
    except (ValueError, RecursionError):
        config = None
    if not isinstance(config, dict):
        draft.errors["tokenizer_config"] = _("Write a JSON object, or leave it empty.")
        return {}
    return config


def _prices(draft: Draft) -> list[dict[str, Decimal]]:
    """Kind -> price of one unit, for each tier."""
    found: list[dict[str, Decimal]] = [{} for _ in draft.tiers]
    seen: set[str] = set()
    for row in draft.rows:
        if row.is_blank:
            continue
        names = row.names()
        if not names:
            row.error = _("Which kind of usage is this the price of?")
        elif any(len(name) > LONGEST_KEY for name in names):
            row.error = _("The name of a kind has at most %(most)d characters.") % {"most": LONGEST_KEY}
        elif twice := next((name for at, name in enumerate(names) if name in seen or name in names[:at]), ""):
            row.error = _("“%(kind)s” has a price already.") % {"kind": twice}
        seen.update(names)
        for tier, price in zip(found, row.prices, strict=False):
            amount = _amount(price, draft.per)
            if amount is not None:
                tier.update(dict.fromkeys(names, amount))
    if not seen:
        draft.errors["rows"] = _("Give at least one kind of usage a price.")
    return found


def _amount(price: Price, per: str) -> Decimal | None:
    if not price.text:
        price.error = _("A price, or 0.")
        return None
    try:
        amount = Decimal(price.text.removeprefix("$"))
    except InvalidOperation:
        price.error = _("Write a number, as 2.50.")
        return None
    if not amount.is_finite():
        price.error = _("Write a number, as 2.50.")
    elif amount < 0:
        price.error = _("A price is not negative.")
    elif amount / PER[per] > _HIGHEST_PRICE:
        price.error = _("That is too much to be true.")
    elif (exponent := amount.as_tuple().exponent) and isinstance(exponent, int) and exponent < _FINEST:
        price.error = _("That is finer than can be kept.")
    return None if price.error else (amount / PER[per]).normalize() + 0


def _tiers(draft: Draft, prices: list[dict[str, Decimal]]) -> Iterator[TierDefinition]:
    names: set[str] = set()
    for at, tier in enumerate(draft.tiers):
        is_default = at == 0
        conditions = [] if is_default else [_condition(one) for one in tier.conditions if not one.is_blank]
        if not tier.name:
            tier.error = _("Give the tier a name.")
        elif len(tier.name) > LONGEST_TIER_NAME:
            tier.error = _("The name of a tier has at most %(most)d characters.") % {"most": LONGEST_TIER_NAME}
        elif tier.name in names:
            tier.error = _("Another tier has this name.")
        elif not is_default and not conditions:
            tier.error = _("When does it apply? Give it at least one condition.")
        names.add(tier.name)
        yield TierDefinition(tier.name, prices[at], is_default, at, conditions)


def _condition(one: Condition) -> dict[str, Any]:
    """As it is stored; what is wrong is written beside it."""
    subject, value = one.subject.strip(), one.value.strip()
    if one.source not in SOURCES:
        one.error = _("Choose what is looked at.")
    elif not subject or not value:
        one.error = _("Fill in both fields.")
    elif one.source == "usage":
        return _usage_condition(one, subject, value)
    elif len(subject) > LONGEST_KEY:
        one.error = _("A key has at most %(most)d characters.") % {"most": LONGEST_KEY}
    values = [part.strip() for part in value.split(",") if part.strip()]
    return {"source": one.source, "key": subject, "operator": "in", "values": values}


def _usage_condition(one: Condition, pattern: str, value: str) -> dict[str, Any]:
    try:
        compile_pattern(pattern, LONGEST_USAGE_PATTERN)
    except Invalid as error:
        one.error = error.message
    number: int | float = 0
    try:
        exact = Decimal(value.replace(",", ""))
        if not exact.is_finite() or not 0 <= exact < 2**63:
            raise InvalidOperation
        number = int(exact) if exact == int(exact) else float(exact)
    except InvalidOperation:
        one.error = _("Compare with a number, as 200000.")
    if one.operator not in OPERATORS:
        one.error = _("Choose how to compare.")
    return {"usageDetailPattern": pattern, "operator": one.operator, "value": number, "caseSensitive": False}


def _condition_of(spec: dict[str, Any]) -> Condition:
    if "source" in spec:
        return Condition(spec["source"], spec["key"], "in", ", ".join(map(str, spec["values"])))
    return Condition("usage", spec["usageDetailPattern"], spec["operator"], str(spec["value"]))


def _per_million(price: Decimal | None) -> str:
    return "" if price is None else f"{(price * PER['million']).normalize():f}"


def _start_text(start: datetime | None) -> str:
    if start is None:
        return ""
    start = start.astimezone(UTC)
    return start.date().isoformat() if start.time() == time() else start.isoformat(timespec="seconds")


def _number(text: str | None, most: int) -> int:
    return min(int(text), most) if text and text.isascii() and text.isdigit() and len(text) < 6 else 0
