"""What is to be written of items and datasets, before it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any


class Keep(Enum):
    """Says nothing about a field: what is there stays, and what is not is null."""

    KEEP = "keep"


KEEP = Keep.KEEP


@dataclass(frozen=True, slots=True)
class ItemChange:
    """A new item, or what changes of the one that has this id. Values are those of JSON."""

    id: str = ""
    input: Any = KEEP
    expected_output: Any = KEEP
    metadata: Any = KEEP
    status: str | Keep = KEEP
    source_trace_id: str | Keep = KEEP
    source_observation_id: str | Keep = KEEP


@dataclass(frozen=True, slots=True)
class DatasetChange:
    """A new dataset, or what changes of one. Values are those of JSON; a schema of None is none."""

    name: str | Keep = KEEP
    description: str | Keep = KEEP
    metadata: Any = KEEP
    input_schema: Any = KEEP
    expected_output_schema: Any = KEEP
