"""What score configs demand of the scores that name them, and which scores break it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from config.errors import Unavailable
from tracing.analytics.records import ScoreType
from tracing.ingest.database import needs_database
from tracing.ingest.issues import Issue, Path, custom

LONGEST_TEXT = 500
#: characters of a value that an error repeats
_LONGEST_SHOWN = 100


class ScoreRules(Protocol):
    """What a score config says about the scores that name it."""

    name: str
    data_type: str
    is_archived: bool
    min_value: float | None
    max_value: float | None

    @property
    def labels(self) -> dict[str, float]:
        """Number by label of a categorical config."""


class RulesLookup(Protocol):
    def __call__(self, project_id: str, config_ids: Collection[str], *, is_fresh: bool) -> Mapping[str, ScoreRules]:
        """The rules of those configs that there are; those that are not fresh may be some seconds old."""


_rules_lookups: list[RulesLookup] = []


def set_rules_lookup(lookup: RulesLookup) -> None:
    """The app that owns score configs says here how to find them."""
    _rules_lookups[:] = [lookup]


@dataclass(frozen=True, slots=True)
class _Breach:
    """Why a score cannot be one of its config, and which of its fields says so."""

    field: str
    reason: str


class Rulebook:
    """The rules of all configs that the scores of one request name. They are looked up together, and together once more
    before a score is refused: whatever a request holds, it costs two looks."""

    def __init__(self, project_id: str, scores: Iterable[Any]) -> None:
        self._project_id = project_id
        named = (score.get("configId") for score in scores if isinstance(score, dict))
        self._config_ids = {config_id for config_id in named if config_id and isinstance(config_id, str)}
        self._rules: Mapping[str, ScoreRules] | None = None
        self._is_fresh = self._is_away = False

    def hold(self, score: dict[str, Any]) -> tuple[ScoreRules | None, _Breach | None]:
        """The rules of a score without other issues, and how it breaks them. Raises Unavailable."""
        config_id = score.get("configId")
        if not config_id or not _rules_lookups:
            return None, None
        if self._rules is None:
            self._look_up(is_fresh=False)
        breach = self._breach(score)
        if breach and not self._is_fresh:  # of the config as it was some seconds ago; it may have changed since
            self._look_up(is_fresh=True)
            breach = self._breach(score)
        return (self._rules or {}).get(config_id), breach

    def find_breaches(self, score: dict[str, Any], path: Path) -> list[Issue]:
        """How a score without other issues breaks its config, so that its sender hears of it and not only we do."""
        if self._is_away:
            return []
        try:
            _, breach = self.hold(score)
        except Unavailable:  # an outage refuses nobody: the worker waits for the database, and looks at the config then
            self._is_away = True
            return []
        return [custom((*path, breach.field), breach.reason)] if breach else []

    def _breach(self, score: dict[str, Any]) -> _Breach | None:
        return _find_breach(score, (self._rules or {}).get(score["configId"]))

    @needs_database()
    def _look_up(self, *, is_fresh: bool) -> None:
        self._rules = _rules_lookups[0](self._project_id, self._config_ids, is_fresh=is_fresh)
        self._is_fresh = is_fresh


def _find_breach(body: dict[str, Any], rules: ScoreRules | None) -> _Breach | None:
    if rules is None:
        return _Breach("configId", "There is no score config of that id.")
    if rules.is_archived:
        return _Breach("configId", f"The score config {rules.name!r} is archived.")
    data_type = body.get("dataType") or rules.data_type
    if data_type != rules.data_type:
        return _Breach("dataType", f"The score is {data_type}, its config {rules.name!r} is {rules.data_type}.")
    reason = _value_breach(body["value"], rules)
    return _Breach("value", reason) if reason else None


def _value_breach(value: Any, rules: ScoreRules) -> str:
    data_type, shown = rules.data_type, repr(value)[:_LONGEST_SHOWN]
    if isinstance(value, str) == (data_type in (ScoreType.NUMERIC, ScoreType.BOOLEAN)):
        return f"A {data_type} score cannot have the value {shown}."
    if data_type == ScoreType.BOOLEAN and value not in (0, 1):
        return "The value of a BOOLEAN score is 0 or 1."
    if data_type == ScoreType.CATEGORICAL and value not in rules.labels:
        return f"The config {rules.name!r} has no category {shown}."
    if data_type == ScoreType.NUMERIC and not _is_within(value, rules.min_value, rules.max_value):
        return f"The value {shown} is out of the range of the config {rules.name!r}."
    if data_type == ScoreType.TEXT and not 1 <= len(value) <= LONGEST_TEXT:
        return f"The value of a TEXT score has 1 to {LONGEST_TEXT} characters."
    return ""


def _is_within(value: float, minimum: float | None, maximum: float | None) -> bool:
    return (minimum is None or value >= minimum) and (maximum is None or value <= maximum)
