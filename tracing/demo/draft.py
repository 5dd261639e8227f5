"""What a demo application did, free of any wire format: a trace, its steps, and what people thought of it."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

#: Formats the data set is sent in; each is what a real client of ours sends.
PROTOBUF, JSON, LEGACY = "protobuf", "json", "legacy"
MILLISECOND = 1_000


@dataclass(slots=True)
class Step:
    """One observation. Times are microseconds since 1970."""

    id: str
    parent: str
    kind: str
    name: str
    start: int
    end: int
    input: Any = None
    output: Any = None
    first_token: int = 0
    level: str = "DEFAULT"
    status: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    model: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    usage: dict[str, int] = field(default_factory=dict)
    prompt: tuple[str, int] | None = None


@dataclass(slots=True)
class Judgement:
    """One score. `value` is a number or a word, as its kind asks."""

    name: str
    value: float | str
    kind: str
    comment: str = ""
    step: str = ""


class Draft:
    """One trace being told: every step moves the clock on, as one thing after another does."""

    def __init__(
        self, seed: str, index: int, start: datetime, name: str, *, wire: str = PROTOBUF, is_of_its_time: bool = True
    ) -> None:
        """`is_of_its_time`: the same at another time is another trace."""
        self.random = random.Random(f"{seed}:{index}")  # noqa: S311 - repeatable, not secret
        told = f"{seed}:{index}:{start.isoformat()}" if is_of_its_time else f"{seed}:{index}"
        self.id = hashlib.blake2b(told.encode(), digest_size=16).hexdigest()
        self.clock = int(start.timestamp() * 1_000_000) + self.random.randrange(1_000_000)
        self.start, self.name, self.wire = self.clock, name, wire
        self.user = self.session = self.release = self.version = ""
        self.environment = "production"
        self.tags: list[str] = []
        self.metadata: dict[str, Any] = {}
        self.is_public = False
        #: on every span, as they are
        self.attributes: dict[str, Any] = {}
        self.steps: list[Step] = []
        self.judgements: list[Judgement] = []

    def step(
        self,
        parent: Step | None,
        kind: str,
        name: str,
        *,
        takes_ms: float = 0,
        input: Any = None,
        output: Any = None,
    ) -> Step:
        """A step that begins now. Its parent ends no earlier than it does: see `finish`."""
        number = len(self.steps)
        start = self.clock
        self.clock += int(max(takes_ms, 0.2) * MILLISECOND)
        identifier = f"{number:04x}{self.id[:12]}"
        step = Step(identifier, parent.id if parent else "", kind, name, start, self.clock, input, output)
        self.steps.append(step)
        self.clock += self.random.randrange(1, 4) * MILLISECOND
        return step

    def fail(self, step: Step, message: str, level: str = "ERROR") -> None:
        step.level, step.status = level, message

    def judge(self, name: str, value: float | str, kind: str, comment: str = "", step: Step | None = None) -> None:
        self.judgements.append(Judgement(name, value, kind, comment, step.id if step else ""))

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def around(self, typical_ms: float) -> float:
        """A duration as services have them: mostly near the typical one, sometimes far above."""
        return typical_ms * self.random.lognormvariate(0, 0.45)

    def finish(self) -> Draft:
        """Let every parent end with its last child."""
        by_id = {step.id: step for step in self.steps}
        for step in reversed(self.steps):
            parent = by_id.get(step.parent)
            if parent is not None:
                parent.end = max(parent.end, step.end)
        return self


def iso(microseconds: int) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
