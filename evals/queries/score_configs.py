"""Reads of score configs."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import QuerySet

from accounts.access import ProjectScope, scope_for_task
from accounts.key_cache import KeyCache
from config.errors import NotFound
from evals.models import ScoreConfig, ScoreConfigType
from tracing.queries.paging import Numbered, PageNumber
from tracing.queries.score_choices import ScoreChoice

# A batch of scores asks for the same few configs; another process's change is seen after this time, or with `is_fresh`.
_known: KeyCache[ScoreConfig] = KeyCache(seconds=4.0, size=1_000)
_IDS_PER_QUERY = 500


def score_configs(scope: ProjectScope) -> QuerySet[ScoreConfig]:
    return ScoreConfig.objects.filter(project_id=scope.project_id)


def list_score_configs(scope: ProjectScope, number: PageNumber) -> Numbered[ScoreConfig]:
    """Newest first, archived ones among them."""
    found = score_configs(scope)
    newest = found.order_by("-created_at", "-id")
    return Numbered(list(newest[number.offset : number.offset + number.limit]), number, found.count())


def get_score_config(scope: ProjectScope, config_id: str) -> ScoreConfig:
    found = None if "\x00" in config_id else score_configs(scope).filter(pk=config_id).first()
    if found is None:
        raise NotFound("Score config not found within authorized project")
    return found


def list_score_choices(scope: ProjectScope) -> list[ScoreChoice]:
    """Configs in use, as forms show them."""
    return [_choice(config) for config in score_configs(scope).filter(is_archived=False).order_by("name", "id")]


def _choice(config: ScoreConfig) -> ScoreChoice:
    is_boolean, is_number = (config.data_type == kind for kind in (ScoreConfigType.BOOLEAN, ScoreConfigType.NUMERIC))
    options = tuple((f"{value:g}" if is_boolean else label, label) for label, value in config.labels.items())
    return ScoreChoice(
        config.pk, config.name, is_number or is_boolean, options, least=config.min_value, most=config.max_value
    )


def find_score_rules(project_id: str, config_ids: Collection[str], *, is_fresh: bool) -> dict[str, ScoreConfig]:
    """What those configs that exist demand of scores, for ingestion. Unless `is_fresh`, it may be some seconds old."""
    found = {} if is_fresh else _remembered(project_id, config_ids)
    generation = _known.generation
    # Scores may name any text, and PostgreSQL refuses NUL in it.
    wanted = [config_id for config_id in config_ids if config_id not in found and "\x00" not in config_id]
    for start in range(0, len(wanted), _IDS_PER_QUERY):
        some = wanted[start : start + _IDS_PER_QUERY]
        for config in score_configs(scope_for_task(project_id)).filter(pk__in=some):
            _known.put(_key(project_id, config.pk), config, generation=generation)
            found[config.pk] = config
    return found


def _remembered(project_id: str, config_ids: Collection[str]) -> dict[str, ScoreConfig]:
    known = {config_id: _known.get(_key(project_id, config_id)) for config_id in config_ids}
    return {config_id: config for config_id, config in known.items() if config is not None}


def _key(project_id: str, config_id: str) -> bytes:
    return f"{project_id}\n{config_id}".encode()


def forget_score_rules() -> None:
    """Called whenever a config changes: in this process the change counts at once."""
    _known.clear()
