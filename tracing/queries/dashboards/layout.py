"""Where charts stand on the grid of a dashboard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tracing.models.dashboards import GRID_WIDTH, Placement

MOST_ROWS = 10_000
TALLEST = 50


@dataclass(frozen=True, slots=True)
class At:
    """In columns and rows of the grid, from its top left corner."""

    x: int
    y: int
    width: int
    height: int

    @classmethod
    def of(cls, placement: Placement) -> At:
        return cls(placement.x, placement.y, placement.width, placement.height)


Column = Annotated[int, Field(ge=0, lt=GRID_WIDTH)]
Row = Annotated[int, Field(ge=0, le=MOST_ROWS)]
Width = Annotated[int, Field(ge=1, le=GRID_WIDTH)]
Height = Annotated[int, Field(ge=1, le=TALLEST)]


class GivenPlacement(BaseModel):
    """A placement as clients send it. What they do not say about its place is chosen."""

    model_config = ConfigDict(extra="ignore", defer_build=True)

    type: Literal["widget", "preset"] = "widget"
    id: Annotated[str, Field(max_length=255)] = ""
    widgetId: Annotated[str, Field(max_length=255)] | None = None
    presetId: Annotated[str, Field(max_length=100)] | None = None
    x: Column | None = None
    y: Row | None = None
    width: Width | None = None
    height: Height | None = None

    @model_validator(mode="after")
    def names_its_chart(self) -> GivenPlacement:
        named, other = (self.widgetId, "presetId") if self.type == "widget" else (self.presetId, "widgetId")
        if not named:
            raise ValueError(f"a placement of type {self.type} needs a {self.type}Id")
        setattr(self, other, None)
        return self


def below(given: Sequence[GivenPlacement], bottom: int, usual: tuple[int, int]) -> list[At]:
    """A place for each: its own, and below all others where it names none."""
    places = []
    for one in given:
        width, height = one.width or usual[0], one.height or usual[1]
        y = bottom if one.y is None else one.y
        places.append(At(one.x or 0, y, width, height))
        bottom = max(bottom, y + height)
    return places


def without_overlaps(places: Sequence[At]) -> list[At]:
    """The same, each moved down past those above it that it would cover. In the order that was given."""
    settled: dict[int, At] = {}
    for number in sorted(range(len(places)), key=lambda one: (places[one].y, places[one].x)):
        at = places[number]
        while covered := [other for other in settled.values() if _overlap(at, other)]:
            at = replace(at, y=max(other.y + other.height for other in covered))
        settled[number] = at
    return [settled[number] for number in range(len(places))]


def _overlap(one: At, other: At) -> bool:
    is_beside = one.x + one.width <= other.x or other.x + other.width <= one.x
    return not is_beside and one.y < other.y + other.height and other.y < one.y + one.height
