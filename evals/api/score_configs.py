"""Score configs: list, create, read, change."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any, Literal

from rest_framework.request import Request
from rest_framework.response import Response

from config.api.describe import PAGE, Given, PageMeta, Shape, describe, in_path
from config.api.values import iso
from config.api.views import PublicView
from config.errors import Invalid
from evals.actions import score_configs as actions
from evals.actions.score_configs import Category, ScoreConfigFields
from evals.models import ScoreConfig, ScoreConfigType
from evals.queries import score_configs as queries
from tracing.api.numbers import whole
from tracing.api.params import Params
from tracing.api.present import meta
from tracing.ingest.issues import Issue, Path, check_boolean, check_option, check_text, custom, wrong_type

_RULES = (
    "A NUMERIC config may have bounds, a CATEGORICAL one needs categories with labels and values that are all "
    "different, a BOOLEAN and a TEXT one have neither."
)
#: field of the API -> field of a config; null says nothing about these
_PLAIN = {"name": "name", "isArchived": "is_archived", "categories": "categories"}
#: null empties these
_NULLABLE = {"minValue": "min_value", "maxValue": "max_value"}


class ConfigCategoryShape(Shape):
    value: float
    label: str


class ScoreConfigShape(Shape):
    id: str
    name: str
    createdAt: datetime
    updatedAt: datetime
    projectId: str
    dataType: Literal["NUMERIC", "BOOLEAN", "CATEGORICAL", "TEXT"]
    isArchived: bool
    minValue: float | None
    maxValue: float | None
    categories: list[ConfigCategoryShape] | None
    description: str | None


class ScoreConfigPage(Shape):
    data: list[ScoreConfigShape]
    meta: PageMeta


class GivenCategory(Given):
    value: float
    label: str


class NewScoreConfig(Given):
    name: str
    dataType: Literal["NUMERIC", "BOOLEAN", "CATEGORICAL", "TEXT"]
    categories: list[GivenCategory] | None = None
    minValue: float | None = None
    maxValue: float | None = None
    description: str | None = None


class ScoreConfigChanges(Given):
    isArchived: bool | None = None
    name: str | None = None
    categories: list[GivenCategory] | None = None
    minValue: float | None = None
    maxValue: float | None = None
    description: str | None = None


class ScoreConfigs(PublicView):
    @describe("List score configs", query=PAGE, answer=ScoreConfigPage, text="Newest first.")
    def get(self, request: Request) -> Response:
        params = Params(request.query_params)
        number = params.page()
        params.check()
        page = queries.list_score_configs(self.scope, number)
        return Response({"data": [_shown(config) for config in page.items], "meta": meta(page)})

    @describe("Create a score config", body=NewScoreConfig, answer=ScoreConfigShape, text=_RULES)
    def post(self, request: Request) -> Response:
        body = _checked(self.body(), is_new=True)
        fields = ScoreConfigFields(data_type=body["dataType"], **_changes(body))
        return Response(_shown(actions.create_score_config(self.scope, fields, actor=self.actor)))


_ID = in_path("config_id", "The id of the score config.")


class OneScoreConfig(PublicView):
    @describe("Read a score config", query=[_ID], answer=ScoreConfigShape)
    def get(self, request: Request, config_id: str) -> Response:
        return Response(_shown(queries.get_score_config(self.scope, config_id)))

    @describe(
        "Change a score config",
        query=[_ID],
        body=ScoreConfigChanges,
        answer=ScoreConfigShape,
        text=f"What is not named stays; at least one field must be. The data type never changes. {_RULES}",
    )
    def patch(self, request: Request, config_id: str) -> Response:
        changes = _changes(_checked(self.body(), is_new=False))
        if not changes:
            raise Invalid(issues=[custom((), "Request body cannot be empty")])
        config = actions.update_score_config(self.scope, config_id, changes, actor=self.actor)
        return Response(_shown(config))


def _shown(config: ScoreConfig) -> dict[str, Any]:
    return {
        "id": config.id,
        "name": config.name,
        "createdAt": iso(config.created_at),
        "updatedAt": iso(config.updated_at),
        "projectId": config.project_id,
        "dataType": config.data_type,
        "isArchived": config.is_archived,
        "minValue": whole(config.min_value),
        "maxValue": whole(config.max_value),
        "categories": config.categories,
        "description": config.description or None,
    }


def _checked(body: Any, *, is_new: bool) -> dict[str, Any]:
    """The body, if every field has the right type; what the types mean together is the actions' business."""
    if not isinstance(body, dict):
        raise Invalid(issues=[wrong_type("object", body, ())])
    issues: list[Issue] = []
    check_text(body, "name", (), issues, required=is_new)
    if is_new:
        check_option(body, "dataType", (), issues, tuple(ScoreConfigType.values), required=True)
    check_boolean(body, "isArchived", (), issues)
    for key in ("minValue", "maxValue"):
        if body.get(key) is not None:
            _check_number(body, key, (), issues)
    check_text(body, "description", (), issues)
    _check_categories(body.get("categories"), issues)
    if issues:
        raise Invalid(issues=issues)
    return body


def _check_number(source: dict[str, Any], key: str, path: Path, issues: list[Issue]) -> None:
    value = source.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        issues.append(wrong_type("number", value, (*path, key), is_present=key in source))


def _check_categories(categories: Any, issues: list[Issue]) -> None:
    if categories is None:
        return
    if not isinstance(categories, list):
        issues.append(wrong_type("array", categories, ("categories",)))
        return
    for position, category in enumerate(categories):
        path: Path = ("categories", position)
        if not isinstance(category, dict):
            issues.append(wrong_type("object", category, path))
            continue
        check_text(category, "label", path, issues, required=True, minimum=1)
        _check_number(category, "value", path, issues)


def _changes(body: dict[str, Any]) -> dict[str, Any]:
    """What a checked body says, under the names of `ScoreConfigFields`."""
    changes = {name: body[key] for key, name in _PLAIN.items() if body.get(key) is not None}
    changes |= {name: body[key] for key, name in _NULLABLE.items() if key in body}
    if "description" in body:
        changes["description"] = body["description"] or ""
    if "categories" in changes:
        changes["categories"] = [_category(category) for category in changes["categories"]]
    return changes


def _category(category: dict[str, Any]) -> Category:
    return {"label": category["label"], "value": whole(category["value"])}
