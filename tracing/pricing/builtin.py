"""The built-in price list, `tracing/data/models.json`, and bringing the database up to it.

The file gives US dollars per million units for the kinds of units that providers bill. Clients name these kinds in
many ways (their provider's own, OpenTelemetry's, LangChain's), so each price is also stored under its other names.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.db import transaction

from tracing.models import Model, PricingTier
from tracing.pricing.catalogue import forget_catalogues

FILE = Path(__file__).resolve().parent.parent / "data" / "models.json"
_MILLION = Decimal(1_000_000)
_NAMESPACE = uuid.UUID("6f1d0b7e-52f0-4a3e-9c0a-3f6b8f1f9a10")

#: billed kind -> the names it comes under. Buckets are disjoint, so a name means the same units wherever it appears.
FAMILIES = {
    "input": (
        "input",
        "input_tokens",
        "prompt_tokens",
        "prompt_token_count",
        "promptTokenCount",
        "input_text_tokens",
        "input_tool_use_tokens",
    ),
    "output": (
        "output",
        "output_tokens",
        "completion_tokens",
        "candidates_token_count",
        "candidatesTokenCount",
        "output_text_tokens",
        "output_accepted_prediction_tokens",
        "output_rejected_prediction_tokens",
    ),
    "output_reasoning": (
        "output_reasoning",
        "output_reasoning_tokens",
        "thoughts_token_count",
        "thoughtsTokenCount",
    ),
    "cache_read": ("input_cached_tokens", "input_cache_read", "cache_read_input_tokens", "cached_content_token_count"),
    "cache_read_audio": ("input_cached_audio_tokens",),
    "cache_write": (
        "input_cache_creation",
        "input_cache_write",
        "cache_creation_input_tokens",
        "input_cache_creation_5m",
        "input_cache_write_tokens",
    ),
    "cache_write_1h": ("input_cache_creation_1h",),
    "input_audio": ("input_audio", "input_audio_tokens", "prompt_audio_token_count"),
    "input_image": ("input_image", "input_image_tokens"),
    "output_audio": ("output_audio", "output_audio_tokens"),
    "output_image": ("output_image", "output_image_tokens"),
}
#: What a provider bills like something else unless the list says otherwise.
_LIKE = {
    "output_reasoning": "output",
    "cache_read": "input",
    "cache_read_audio": "cache_read",
    "input_image": "input",
    "cache_write": "input",
    "cache_write_1h": "cache_write",
}


@dataclass(frozen=True, slots=True)
class SyncResult:
    created: int
    changed: int
    removed: int


def entries() -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"), parse_float=Decimal)["models"]
    return loaded


def prices_per_unit(per_million: dict[str, Any]) -> dict[str, str]:
    """Every name a price goes by, with the price of one unit as decimal text."""
    prices: dict[str, str] = {}
    for kind, names in FAMILIES.items():
        price = _price(per_million, kind)
        if price is not None:
            prices.update(dict.fromkeys(names, f"{(Decimal(str(price)) / _MILLION).normalize():f}"))
    return prices


def _price(per_million: dict[str, Any], kind: str) -> Any:
    if kind in per_million:
        return per_million[kind]
    return _price(per_million, _LIKE[kind]) if kind in _LIKE else None


@transaction.atomic
def sync_builtin_models() -> SyncResult:
    """Make the built-in rows equal to the file. Ids follow from names, so spans keep pointing at their model."""
    known = {model.id: model for model in Model.objects.filter(project__isnull=True).prefetch_related("tiers")}
    created = changed = 0
    for entry in entries():
        model, tiers = _rows(entry)
        current = known.pop(model.id, None)
        if current is not None and _content(current, list(current.tiers.all())) == _content(model, tiers):
            continue
        created, changed = (created + 1, changed) if current is None else (created, changed + 1)
        if current is not None:
            model.created_at = current.created_at
            current.tiers.all().delete()
        # An id with a default makes Django insert unless told otherwise.
        model.save(force_insert=current is None, force_update=current is not None)
        PricingTier.objects.bulk_create(tiers)
    Model.objects.filter(project__isnull=True, id__in=known).delete()
    forget_catalogues()
    return SyncResult(created, changed, len(known))


def _rows(entry: dict[str, Any]) -> tuple[Model, list[PricingTier]]:
    model = Model(
        id=str(uuid.uuid5(_NAMESPACE, entry["name"])),
        name=entry["name"],
        match_pattern=entry["match_pattern"],
        unit=entry.get("unit", "TOKENS"),
        tokenizer=entry.get("tokenizer", ""),
        tokenizer_config=entry.get("tokenizer_config", {}),
        provider=entry["provider"],
        source_url=entry["source"],
        checked_on=date.fromisoformat(entry["date"]),
    )
    return model, list(_tier_rows(model, entry["tiers"]))


def _tier_rows(model: Model, tiers: list[dict[str, Any]]) -> Iterator[PricingTier]:
    for tier in tiers:
        yield PricingTier(
            id=str(uuid.uuid5(_NAMESPACE, f"{model.name}/{tier['name']}")),
            model=model,
            name=tier["name"],
            is_default=tier.get("is_default", False),
            priority=tier.get("priority", 0),
            conditions=tier.get("conditions", []),
            prices=prices_per_unit(tier["prices_per_million"]),
        )


def _content(model: Model, tiers: list[PricingTier]) -> list[object]:
    own = [getattr(model, name) for name in _COMPARED]
    rows = [(t.id, t.name, t.is_default, t.priority, t.conditions, t.prices) for t in tiers]
    return [*own, *sorted(rows, key=lambda row: row[3])]


_COMPARED = (
    "name",
    "match_pattern",
    "unit",
    "tokenizer",
    "tokenizer_config",
    "provider",
    "source_url",
    "checked_on",
)
