"""What an experiment of this server's own runs: a prompt's version, over a connection, on the items of a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any

import orjson

from accounts.access import ProjectScope
from evals.judging.mapping import find
from prompts.models import PromptVersion
from prompts.playground.origins import window_of_version
from prompts.playground.state import State, Window, placeholders_in, state_of, variables_in

MOST_REPETITIONS = 20
MOST_RUNS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`parameters` and `options` are texts as playgrounds keep them; `dataset_version` is ISO 8601, "" for now;
    `evaluators` are ids."""

    prompt: str
    version: int
    connection: str
    model: str
    parameters: dict[str, str] = field(default_factory=dict)
    options: str = ""
    #: JSON schema that answers have to fit
    output_schema: str = ""
    #: variable -> a text for all items, or a JSONPath into each item's input; those that are not named are taken from
    #: the input by their name
    values: dict[str, str] = field(default_factory=dict)
    dataset_version: str = ""
    repetitions: int = 1
    evaluators: list[str] = field(default_factory=list)

    @property
    def as_of(self) -> datetime | None:
        return datetime.fromisoformat(self.dataset_version) if self.dataset_version else None

    def as_text(self) -> str:
        return orjson.dumps(asdict(self)).decode()

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Plan:
        known = {one.name for one in fields(cls)}
        return cls(**{name: value for name, value in kept.items() if name in known})


def window_for(scope: ProjectScope, plan: Plan, version: PromptVersion) -> Window:
    """The prompt's messages and tools, with the model and the settings of the plan."""
    window = window_of_version(scope, version)
    window |= {
        "connection": plan.connection,
        "model": plan.model,
        "parameters": dict(plan.parameters),
        "options": plan.options,
        "stream": True,
    }
    window["output_schema"] = {"name": "answer", "schema": plan.output_schema} if plan.output_schema.strip() else None
    return window


def state_for(window: Window, plan: Plan, given: Any) -> State:
    """The window with an item's input in its variables and placeholders: as the plan says; else by name from an object,
    or as it is where the window asks for one thing only."""
    state = state_of(window)
    variables, placeholders = variables_in(window), placeholders_in(window)
    if isinstance(given, dict):
        state["variables"] = {str(name): _text(value) for name, value in given.items()}
        state["placeholders"] = {name: _json(given[name]) for name in placeholders if name in given}
    elif len(variables) == 1 and not placeholders:
        state["variables"] = {variables[0]: _text(given)}
    elif len(placeholders) == 1 and not variables and isinstance(given, list):
        state["placeholders"] = {placeholders[0]: _json(given)}
    for name, said in plan.values.items():
        state["variables"][name] = _found(given, said) if said.startswith("$") else said
    return state


def _found(given: Any, path: str) -> str:
    """Empty where there is nothing, which the check of the window then says."""
    value, _problem = find({"input": given}, {"source": "input", "jsonPath": path})
    return "" if value is None else _text(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
