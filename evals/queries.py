"""Reads of score configs."""

from __future__ import annotations

from django.db.models import QuerySet

from accounts.access import ProjectScope, scope_for_task
from accounts.key_cache import KeyCache
from config.errors import NotFound
from evals.models import ScoreConfig
from tracing.queries.paging import Numbered, PageNumber

# A batch of scores asks for the same few configs; another process's change is seen after this time, or with `is_fresh`.
_known: KeyCache[ScoreConfig] = KeyCache(seconds=4.0, size=1_000)


def score_configs(scope: ProjectScope) -> QuerySet[ScoreConfig]:
    return ScoreConfig.objects.filter(project_id=scope.project_id)


def list_score_configs(scope: ProjectScope, number: PageNumber) -> Numbered[ScoreConfig]:
    """Newest first, archived ones among them."""
    found = score_configs(scope)
    newest = found.order_by("-created_at", "-id")
    return Numbered(list(newest[number.offset : number.offset + number.limit]), number, found.count())


def get_score_config(scope: ProjectScope, config_id: str) -> ScoreConfig:
    # Scores may name any text, and PostgreSQL refuses NUL in it.
    found = None if "\x00" in config_id else score_configs(scope).filter(pk=config_id).first()
    if found is None:
        raise NotFound("Score config not found within authorized project")
    return found


def find_score_rules(project_id: str, config_id: str, *, is_fresh: bool) -> ScoreConfig | None:
    """What a config demands of scores, for ingestion. Unless `is_fresh`, it may be some seconds old."""
    key, generation = f"{project_id}\n{config_id}".encode(), _known.generation
    known = None if is_fresh else _known.get(key)
    if known is not None:
        return known
    try:
        found = get_score_config(scope_for_task(project_id), config_id)
    except NotFound:
        return None
    _known.put(key, found, generation=generation)
    return found


def forget_score_rules() -> None:
    """Called whenever a config changes: in this process the change counts at once."""
    _known.clear()
