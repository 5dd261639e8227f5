"""The scores that may be given by hand, as the app that owns score configs tells them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from accounts.access import ProjectScope


@dataclass(frozen=True, slots=True)
class ScoreChoice:
    """A score config as a form shows it: `options` are the categories; without any a number or a text is typed."""

    config_id: str
    name: str
    is_number: bool
    options: tuple[tuple[str, str], ...] = ()
    least: float | None = None
    most: float | None = None


Lookup = Callable[[ProjectScope], Sequence[ScoreChoice]]
_lookups: list[Lookup] = []


def set_score_choices(lookup: Lookup) -> None:
    """The app that owns score configs says here how to list them."""
    _lookups[:] = [lookup]


def list_score_choices(scope: ProjectScope) -> list[ScoreChoice]:
    """Those that are not archived, by name."""
    return [choice for lookup in _lookups for choice in lookup(scope)]
