"""What people and programs can do with score configs: one function a change."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from django.db import transaction

from accounts.access import ProjectScope
from accounts.audit import Actor, record
from accounts.roles import Role
from config.errors import Invalid, issue
from evals.models import CONFIG_NAME_LENGTH, ScoreConfig, ScoreConfigType
from evals.queries.score_configs import forget_score_rules, get_score_config, score_configs

#: letters and digits of any script, and these
_NAME = re.compile(r"[\w .()-]+")
_BOOLEAN_CATEGORIES = [{"label": "True", "value": 1}, {"label": "False", "value": 0}]

Category = dict[str, Any]
_Issues = list[dict[str, object]]


@dataclass(frozen=True, slots=True)
class ScoreConfigFields:
    """What can be said about a config. `categories` are [{label, value}]."""

    name: str
    data_type: str
    description: str = ""
    is_archived: bool = False
    min_value: float | None = None
    max_value: float | None = None
    categories: list[Category] | None = None


def create_score_config(scope: ProjectScope, fields: ScoreConfigFields, *, actor: Actor) -> ScoreConfig:
    """Raises Invalid naming each field that breaks a rule of the data type."""
    scope.require(Role.MEMBER)
    if fields.data_type == ScoreConfigType.BOOLEAN:
        if fields.categories is not None:
            raise Invalid(issues=[issue("categories", "Custom categories are not allowed for data type BOOLEAN")])
        fields = replace(fields, categories=_BOOLEAN_CATEGORIES)
    _check(fields)
    with transaction.atomic():
        config = ScoreConfig.objects.create(project_id=scope.project_id, **asdict(fields))
        record(actor, "score_config.create", config, after=asdict(fields))
    forget_score_rules()
    return config


def update_score_config(
    scope: ProjectScope, config_id: str, changes: Mapping[str, Any], *, actor: Actor
) -> ScoreConfig:
    """`changes` are fields of `ScoreConfigFields`; the data type stays. Raises NotFound, and Invalid like creating."""
    scope.require(Role.MEMBER)
    with transaction.atomic():
        get_score_config(scope, config_id)
        config = score_configs(scope).select_for_update().get(pk=config_id)
        before = _fields_of(config)
        fields = replace(before, **changes)
        _check(fields)
        for name in changes:
            setattr(config, name, getattr(fields, name))
        config.save(update_fields=[*changes, "updated_at"])
        was = {name: getattr(before, name) for name in changes}
        record(actor, "score_config.update", config, before=was, after=dict(changes))
    forget_score_rules()
    return config


def delete_project_configs(project_id: str) -> None:
    """Removes the configs of a project that was deleted."""
    ScoreConfig.objects.filter(project_id=project_id).delete()
    forget_score_rules()


def _fields_of(config: ScoreConfig) -> ScoreConfigFields:
    return ScoreConfigFields(**{name: getattr(config, name) for name in ScoreConfigFields.__dataclass_fields__})


def _check(fields: ScoreConfigFields) -> None:
    issues = [*_name_issues(fields.name), *_range_issues(fields), *_category_issues(fields)]
    if issues:
        raise Invalid(issues=issues)


def _name_issues(name: str) -> _Issues:
    if not 1 <= len(name) <= CONFIG_NAME_LENGTH:
        return [issue("name", f"The name has 1 to {CONFIG_NAME_LENGTH} characters")]
    if not _NAME.fullmatch(name):
        return [issue("name", "The name may hold letters, digits, spaces and _ . ( ) - only")]
    return []


def _range_issues(fields: ScoreConfigFields) -> _Issues:
    low, high = fields.min_value, fields.max_value
    if fields.data_type != ScoreConfigType.NUMERIC:
        given = {"minValue": low, "maxValue": high}
        message = f"Only a NUMERIC config has bounds, this one is {fields.data_type}"
        return [issue(name, message) for name, value in given.items() if value is not None]
    if low is not None and high is not None and high <= low:
        return [issue("maxValue", "The maximum value must be greater than the minimum value")]
    return []


def _category_issues(fields: ScoreConfigFields) -> _Issues:
    categories, data_type = fields.categories, fields.data_type
    if data_type == ScoreConfigType.BOOLEAN:
        is_fixed = categories == _BOOLEAN_CATEGORIES
        return [] if is_fixed else [issue("categories", "The categories of a BOOLEAN config cannot be changed")]
    if data_type != ScoreConfigType.CATEGORICAL:
        return [issue("categories", f"A {data_type} config has no categories")] if categories is not None else []
    if not categories:
        return [issue("categories", "A CATEGORICAL config needs at least one category")]
    return [
        issue("categories", f"Duplicate category {field}: {twice!r}")
        for field in ("label", "value")
        if (twice := _first_twice([category[field] for category in categories])) is not None
    ]


def _first_twice(values: list[Any]) -> Any:
    seen = set()
    for value in values:
        if value in seen:
            return value
        seen.add(value)
    return None
