"""Rules of evaluation: list, create, read, change, delete."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any, Literal

from rest_framework.request import Request
from rest_framework.response import Response

from config.api.describe import Given, Shape, in_path
from config.api.values import iso
from config.errors import Invalid
from evals.actions import rules as actions
from evals.actions.rules import RuleFields
from evals.api.evaluators import (
    CURSOR,
    DeletedById,
    EvaluatorCreator,
    EvaluatorCursor,
    GivenJudgeMapping,
    JudgeMappingShape,
    creator,
    cursor_of,
    page_of,
)
from evals.api.structured import StructuredView, describe_structured
from evals.models import Rule, TargetKind
from evals.queries import rules as queries
from tracing.api.numbers import whole
from tracing.ingest.issues import Issue, check_boolean, check_option, check_text, custom, wrong_type

_TARGETS = tuple(TargetKind.values)


class RuleAssignmentShape(Shape):
    evaluatorId: str
    variableMapping: list[JudgeMappingShape] | None


class RuleShape(Shape):
    id: str
    name: str
    createdBy: EvaluatorCreator | None
    enabled: bool
    sampling: float
    filter: list[dict[str, Any]]
    evaluatorAssignments: list[RuleAssignmentShape]
    target: Literal["observation", "trace", "session", "experiment"]
    createdAt: datetime
    updatedAt: datetime


class RulePage(Shape):
    data: list[RuleShape]
    meta: EvaluatorCursor


class GivenRuleAssignment(Given):
    evaluatorId: str
    variableMapping: list[GivenJudgeMapping] | None = None


class GivenRule(Given):
    name: str
    enabled: bool
    sampling: float | None = None
    filter: list[dict[str, Any]] | None = None
    evaluatorAssignments: list[GivenRuleAssignment]
    target: Literal["observation", "trace", "session", "experiment"] | None = None


class RuleChanges(Given):
    name: str | None = None
    enabled: bool | None = None
    sampling: float | None = None
    filter: list[dict[str, Any]] | None = None
    evaluatorAssignments: list[GivenRuleAssignment] | None = None


_RULES = (
    "A rule that is on needs at least one evaluator. `filter` has conditions as the lists of observations and traces "
    "take them; `sampling` is the share that is judged, above 0 and at most 1. A null mapping is the evaluator's own."
)
_ID = in_path("rule_id", "The id of the rule.")


class EvaluationRules(StructuredView):
    @describe_structured("List rules of evaluation", query=CURSOR, answer=RulePage, text="Newest first.")
    def get(self, request: Request) -> Response:
        limit, cursor = cursor_of(request)
        found = queries.rules(self.scope).select_related("created_by").prefetch_related("assignments")
        page, meta = page_of(found, limit, cursor)
        return Response({"data": [_shown(rule) for rule in page], "meta": meta})

    @describe_structured("Create a rule of evaluation", body=GivenRule, answer=RuleShape, text=_RULES)
    def post(self, request: Request) -> Response:
        body = checked(self.body(), is_new=True)
        fields = RuleFields(**{"name": "", **changes_of(body), "target": body.get("target") or TargetKind.OBSERVATION})
        rule = actions.create_rule(self.scope, fields, actor=self.actor)
        return Response(_shown(queries.get_rule(self.scope, rule.pk)))


class OneEvaluationRule(StructuredView):
    @describe_structured("Read a rule of evaluation", query=[_ID], answer=RuleShape)
    def get(self, request: Request, rule_id: str) -> Response:
        return Response(_shown(queries.get_rule(self.scope, rule_id)))

    @describe_structured(
        "Change a rule of evaluation",
        query=[_ID],
        body=RuleChanges,
        answer=RuleShape,
        text=f"What is not named stays. Assignments replace all there were; none switches the rule off. {_RULES}",
    )
    def patch(self, request: Request, rule_id: str) -> Response:
        queries.get_rule(self.scope, rule_id)
        changes = changes_of(checked(self.body(), is_new=False))
        if not changes:
            raise Invalid(issues=[custom((), "Request body cannot be empty")])
        return Response(_shown(actions.update_rule(self.scope, rule_id, changes, actor=self.actor)))

    @describe_structured("Delete a rule of evaluation", query=[_ID], answer=DeletedById, text="Its scores stay.")
    def delete(self, request: Request, rule_id: str) -> Response:
        actions.delete_rule(self.scope, rule_id, actor=self.actor)
        return Response({"id": rule_id})


def _shown(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.pk,
        "name": rule.name,
        "createdBy": creator(rule.created_by),
        "enabled": rule.is_enabled,
        "sampling": whole(rule.sampling),
        "filter": rule.filter,
        "evaluatorAssignments": [
            {"evaluatorId": one.evaluator_id, "variableMapping": one.mapping} for one in rule.assignments.all()
        ],
        "target": rule.target,
        "createdAt": iso(rule.created_at),
        "updatedAt": iso(rule.updated_at),
    }


def checked(body: Any, *, is_new: bool, assignments: str = "evaluatorAssignments") -> dict[str, Any]:
    """The body, if every field has the right type."""
    if not isinstance(body, dict):
        raise Invalid(issues=[wrong_type("object", body, ())])
    issues: list[Issue] = []
    check_text(body, "name", (), issues, required=is_new)
    check_boolean(body, "enabled", (), issues)
    if is_new and not isinstance(body.get("enabled"), bool) and not issues:
        issues.append(wrong_type("boolean", body.get("enabled"), ("enabled",), is_present="enabled" in body))
    sampling = body.get("sampling")
    is_number = isinstance(sampling, int | float) and not isinstance(sampling, bool) and math.isfinite(sampling)
    if sampling is not None and not is_number:
        issues.append(wrong_type("number", sampling, ("sampling",)))
    if body.get("filter") is not None and not isinstance(body["filter"], list):
        issues.append(wrong_type("array", body["filter"], ("filter",)))
    check_option(body, "target", (), issues, _TARGETS)
    _check_assignments(body, assignments, issues, is_required=is_new)
    if issues:
        raise Invalid(issues=issues)
    return body


def _check_assignments(body: dict[str, Any], name: str, issues: list[Issue], *, is_required: bool) -> None:
    given = body.get(name)
    if given is None and not is_required:
        return
    if not isinstance(given, list):
        issues.append(wrong_type("array", given, (name,), is_present=name in body))
        return
    for number, one in enumerate(given):
        if not isinstance(one, dict) or not isinstance(one.get("evaluatorId"), str):
            issues.append(custom((name, number), "Name the evaluator by evaluatorId"))
        elif one.get("variableMapping") is not None and not _are_objects(one["variableMapping"]):
            issues.append(custom((name, number, "variableMapping"), "A mapping is an array of objects"))


def _are_objects(given: Any) -> bool:
    return isinstance(given, list) and all(isinstance(one, dict) for one in given)


def changes_of(body: dict[str, Any]) -> dict[str, Any]:
    """What a checked body says, under the names of `RuleFields`."""
    changes: dict[str, Any] = {}
    for key, name in (("name", "name"), ("enabled", "is_enabled"), ("sampling", "sampling"), ("filter", "filter")):
        if body.get(key) is not None:
            changes[name] = body[key]
    if body.get("evaluatorAssignments") is not None:
        changes["assignments"] = [
            (one["evaluatorId"], one.get("variableMapping")) for one in body["evaluatorAssignments"]
        ]
    return changes
