"""What ingestion adds to an observation: its model, tokens, cost and prompt; files in its text become references."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from tracing.analytics.records import ZERO, Level, Observation
from tracing.ingest.database import needs_database
from tracing.ingest.media import Lifter
from tracing.pricing.catalogue import Catalogue, catalogue_for
from tracing.pricing.cost import computed_cost, provided_cost, units_of
from tracing.pricing.rates import Call, PricedModel
from tracing.tokens import count_tokens

PromptKey = tuple[str, int]
#: (project id, {(name, version)}) -> {(name, version): prompt id}, of those that exist
PromptResolver = Callable[[str, set[PromptKey]], Mapping[PromptKey, str]]

_PROMPT_CACHE_SECONDS = 60.0
_MOST_PROMPTS = 10_000
#: what the store's 64-bit integers hold
_LARGEST_COUNT = 2**63 - 1


@needs_database()
def enrich(project_id: str, observations: Sequence[Observation]) -> None:
    """Fill in what can be derived, in place. Doing it again gives the same. Raises Unavailable without the database."""
    catalogue: Catalogue | None = None
    prompted: list[Observation] = []
    _lift(project_id, observations)
    for observation in observations:
        if observation.model or observation.provided_usage or observation.provided_cost:
            if catalogue is None:
                catalogue = catalogue_for(project_id)
            price(observation, catalogue)
        if observation.prompt_name and observation.prompt_version is not None:
            prompted.append(observation)
    if prompted:
        _prompts.link(project_id, prompted)


def _lift(project_id: str, observations: Sequence[Observation]) -> None:
    """Before anything is counted: a file is no text."""
    lifter = Lifter(project_id)
    for observation in observations:
        lifter.lift(observation)
    lifter.save()


def register_prompt_resolver(resolver: PromptResolver) -> None:
    """How prompt links are found; the app that owns prompts sets it when it is ready."""
    _prompts.set_resolver(resolver)


def price(observation: Observation, catalogue: Catalogue) -> None:
    """Model, tier, usage and cost, in place, from what the client sent and the definitions in force at its start."""
    model = catalogue.match(observation.model, observation.start_time) if observation.model else None
    usage = units_of(observation.provided_usage) or _counted(observation, model)
    tier = None
    if model is not None and usage:
        # The default alone needs no look at conditions; most models have only that.
        tier = (
            model.tier_for(Call(usage, observation.model_parameters, observation.metadata))
            if model.conditional
            else model.default
        )
    if observation.provided_cost:
        cost = provided_cost(observation.provided_cost)
    else:
        cost = computed_cost(usage, tier.prices) if tier is not None else {}
    observation.model_id = model.id if model is not None else ""
    observation.pricing_tier_id, observation.pricing_tier_name = (tier.id, tier.name) if tier is not None else ("", "")
    observation.usage, observation.cost = usage, cost
    _add_up(observation, usage, cost)


def _counted(observation: Observation, model: PricedModel | None) -> dict[str, int]:
    """Tokens counted by us, when the client sent neither usage nor cost. A failed call is not billed."""
    if model is None or not model.tokenizer or observation.provided_cost or observation.level == Level.ERROR.value:
        return {}
    parts = (("input", observation.input), ("output", observation.output))
    counts = {side: count_tokens(model.tokenizer, model.tokenizer_config, text) for side, text in parts}
    usage = {side: count for side, count in counts.items() if count is not None}
    if usage:
        usage["total"] = sum(usage.values())
    return usage


def _add_up(observation: Observation, usage: Mapping[str, int], cost: Mapping[str, Decimal]) -> None:
    """The sums that lists show: every kind of input and output unit, by the name of its key."""
    input_tokens = output_tokens = 0
    for key, units in usage.items():
        if "input" in key:
            input_tokens += units
        if "output" in key:
            output_tokens += units
    input_cost = output_cost = ZERO
    for key, amount in cost.items():
        if "input" in key:
            input_cost += amount
        if "output" in key:
            output_cost += amount
    observation.input_tokens = input_tokens if input_tokens <= _LARGEST_COUNT else _LARGEST_COUNT
    observation.output_tokens = output_tokens if output_tokens <= _LARGEST_COUNT else _LARGEST_COUNT
    observation.total_tokens = usage.get("total", 0)
    observation.input_cost, observation.output_cost = input_cost, output_cost
    observation.total_cost = cost.get("total", ZERO)


class _Prompts:
    """Prompt links, one lookup a call for those not known yet. A version never changes, so a found link may be kept."""

    def __init__(self) -> None:
        self._resolver: PromptResolver | None = None
        self._lock = threading.Lock()
        self._found: dict[tuple[str, PromptKey], tuple[float, str]] = {}

    def set_resolver(self, resolver: PromptResolver) -> None:
        with self._lock:
            self._resolver = resolver
            self._found.clear()

    def link(self, project_id: str, observations: Sequence[Observation]) -> None:
        if self._resolver is None:
            return
        wanted = {_prompt_key(observation) for observation in observations}
        ids = self._ids(project_id, wanted, self._resolver)
        for observation in observations:
            observation.prompt_id = ids.get(_prompt_key(observation), "")

    def _ids(self, project_id: str, wanted: set[PromptKey], resolver: PromptResolver) -> dict[PromptKey, str]:
        now = time.monotonic()
        with self._lock:
            known = {key: self._found.get((project_id, key)) for key in wanted}
        ids = {key: hit[1] for key, hit in known.items() if hit is not None and now - hit[0] < _PROMPT_CACHE_SECONDS}
        missing = wanted - ids.keys()
        if missing:
            found = resolver(project_id, missing)
            with self._lock:
                if len(self._found) + len(found) > _MOST_PROMPTS:
                    self._found.clear()
                self._found.update({(project_id, key): (now, id_) for key, id_ in found.items()})
            ids.update(found)
        return ids


def _prompt_key(observation: Observation) -> PromptKey:
    return observation.prompt_name, observation.prompt_version or 0


_prompts = _Prompts()
