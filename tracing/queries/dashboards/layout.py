"""Where charts stand on the grid of a dashboard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tracing.models.dashboards import GRID_WIDTH, Placement

MOST_ROWS = 10_000
_TALLEST = 50


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
Height = Annotated[int, Field(ge=1, le=_TALLEST)]


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

    @classmethod
    def at(cls, at: At, *, widget: str = "", preset: str = "") -> GivenPlacement:
        chart: dict[str, Any] = {"widgetId": widget} if widget else {"type": "preset", "presetId": preset}
        return cls(x=at.x, y=at.y, width=at.width, height=at.height, **chart)


def below(given: Sequence[GivenPlacement], bottom: int, usual: tuple[int, int]) -> list[At]:
    """A place for each: its own, and below all others where it names none."""
    places = []
    for one in given:
        width, height = one.width or usual[0], one.height or usual[1]
        y = bottom if one.y is None else one.y
        places.append(At(one.x or 0, y, width, height))
        bottom = max(bottom, y + height)
    return places
