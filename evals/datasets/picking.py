"""Parts of what was traced that become an item: which field comes from where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evals.judging.mapping import find

#: fields of an item, and what of an observation or a trace they may come from
FIELDS = ("input", "expected_output", "metadata")
SOURCES = ("input", "output", "metadata")
LONGEST_PATH = 500


@dataclass(frozen=True, slots=True)
class Pick:
    """`source` is one of SOURCES, or empty for nothing; `path` a JSON path in it, or empty for all of it."""

    source: str = ""
    path: str = ""

    def of(self, document: Mapping[str, Any]) -> tuple[Any, str]:
        """The value, and why there is none where a path leads nowhere."""
        if not self.source:
            return None, ""
        value, problem = find(document, {"source": self.source, "jsonPath": self.path})
        return (None, problem if self.path else "") if problem else (value, "")


DEFAULT = {"input": Pick("input"), "expected_output": Pick("output"), "metadata": Pick()}


def as_json(picks: Mapping[str, Pick]) -> dict[str, Any]:
    return {name: [picks[name].source, picks[name].path] for name in FIELDS}


def from_json(said: Mapping[str, Any]) -> dict[str, Pick]:
    return {name: Pick(*said[name]) for name in FIELDS}
