"""Evaluators and rules as older clients know them: numbered pages, one prompt text, a name for all versions."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from config.api.describe import PAGE, Given, Message, PageMeta, Shape, in_path
from config.api.values import iso
from config.errors import Invalid
from evals.actions import evaluators as actions
from evals.actions import rules as rule_actions
from evals.actions.evaluators import EvaluatorFields
from evals.actions.rules import RuleFields
from evals.api.evaluation_rules import changes_of, checked
from evals.api.evaluators import JudgeMappingShape, JudgeModelShape
from evals.api.structured import StructuredView, describe_structured
from evals.judging.mapping import variables_of
from evals.models import Assignment, Evaluator, EvaluatorKind, EvaluatorStatus, EvaluatorVersion, Rule, TargetKind
from evals.queries import evaluators as queries
from evals.queries import rules as rule_queries
from tracing.api.numbers import whole
from tracing.api.params import Params
from tracing.api.present import meta
from tracing.ingest.issues import Issue, check_option, check_text, custom, wrong_type
from tracing.queries.paging import Numbered

_TYPES = tuple(EvaluatorKind.values)
#: what these clients know
_TARGETS = (TargetKind.OBSERVATION.value, TargetKind.EXPERIMENT.value)
_MOST = 100


# --- Shapes ------------------------------------------------------------------------------------------------
class UnstableEvaluator(Shape):
    id: str
    name: str
    version: int
    scope: Literal["project"]
    type: Literal["llm_as_judge", "code"]
    variables: list[str]
    mapping: list[JudgeMappingShape] | None
    evaluationRuleCount: int
    createdAt: datetime
    updatedAt: datetime
    prompt: str = ""
    outputDefinition: dict[str, Any] = {}
    modelConfig: JudgeModelShape | None = None
    sourceCode: str = ""
    sourceCodeLanguage: str = ""


class UnstableEvaluatorPage(Shape):
    data: list[UnstableEvaluator]
    meta: PageMeta


class NamedEvaluator(Shape):
    id: str
    name: str
    type: Literal["llm_as_judge", "code"]
    scope: Literal["project"]


class UnstableAssignment(Shape):
    evaluator: NamedEvaluator
    mapping: list[JudgeMappingShape] | None


class UnstableRule(Shape):
    id: str
    name: str
    evaluator: NamedEvaluator | None
    evaluators: list[UnstableAssignment]
    enabled: bool
    status: Literal["active", "inactive", "paused"]
    pausedReason: str | None
    pausedMessage: str | None
    sampling: float
    target: Literal["observation", "trace", "session", "experiment"]
    filter: list[dict[str, Any]]
    mapping: list[JudgeMappingShape]
    createdAt: datetime
    updatedAt: datetime


class UnstableRulePage(Shape):
    data: list[UnstableRule]
    meta: PageMeta


class GivenUnstableEvaluator(Given):
    name: str
    type: Literal["llm_as_judge", "code"] | None = None
    prompt: str | None = None
    outputDefinition: dict[str, Any] | None = None
    modelConfig: JudgeModelShape | None = None
    mapping: list[dict[str, Any]] | None = None
    sourceCode: str | None = None
    sourceCodeLanguage: str | None = None


class GivenUnstableRule(Given):
    name: str
    enabled: bool
    evaluator: dict[str, Any] | None = None
    evaluators: list[dict[str, Any]] | None = None
    target: Literal["observation", "experiment"] | None = None
    sampling: float | None = None
    filter: list[dict[str, Any]] | None = None
    mapping: list[dict[str, Any]] | None = None


class UnstableRuleChanges(Given):
    name: str | None = None
    enabled: bool | None = None


class _View(StructuredView):
    has_telling_codes = True


_EVALUATOR = in_path("evaluator_id", "The id of the evaluator.")
_RULE = in_path("rule_id", "The id of the rule.")


# --- Evaluators --------------------------------------------------------------------------------------------
class UnstableEvaluators(_View):
    @describe_structured("List evaluators (old)", query=PAGE, answer=UnstableEvaluatorPage)
    def get(self, request: Request) -> Response:
        page = _page(request, queries.evaluators(self.scope))
        return Response({"data": _shown(page.items), "meta": meta(page)})

    @describe_structured(
        "Create an evaluator, or a version of the one of this name (old)",
        body=GivenUnstableEvaluator,
        answer=UnstableEvaluator,
    )
    def post(self, request: Request) -> Response:
        fields = _fields(self.body())
        known = queries.evaluators(self.scope).filter(name=fields.name.strip(), kind=fields.kind)
        evaluator = known.order_by("-created_at").first()
        if evaluator is None:
            evaluator = actions.create_evaluator(self.scope, fields, actor=self.actor)
        else:
            actions.save_version(self.scope, evaluator.pk, fields, actor=self.actor, based_on=None)
        return Response(_shown([queries.get_evaluator(self.scope, evaluator.pk)])[0])


class OneUnstableEvaluator(_View):
    @describe_structured("Read an evaluator (old)", query=[_EVALUATOR], answer=UnstableEvaluator)
    def get(self, request: Request, evaluator_id: str) -> Response:
        return Response(_shown([queries.get_evaluator(self.scope, evaluator_id)])[0])

    @describe_structured("Delete an evaluator (old)", query=[_EVALUATOR], answer=Message)
    def delete(self, request: Request, evaluator_id: str) -> Response:
        actions.delete_evaluator(self.scope, evaluator_id, actor=self.actor)
        return Response({"message": "Evaluator successfully deleted"})


def _page(request: Request, found: QuerySet[Any]) -> Numbered[Any]:
    params = Params(request.query_params)
    number = params.page()
    params.check()
    rows = found.order_by("-created_at", "-pk")
    return Numbered(list(rows[number.offset : number.offset + number.limit]), number, found.count())


def _shown(found: list[Evaluator]) -> list[dict[str, Any]]:
    versions = queries.latest_versions(found)
    rules: dict[str, int] = {}
    for evaluator_id in Assignment.objects.filter(evaluator__in=found).values_list("evaluator_id", flat=True):
        rules[evaluator_id] = rules.get(evaluator_id, 0) + 1
    return [_evaluator(one, versions[one.pk], rules.get(one.pk, 0)) for one in found]


def _evaluator(evaluator: Evaluator, version: EvaluatorVersion, rules: int) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": evaluator.pk,
        "name": evaluator.name,
        "version": version.number,
        "scope": "project",
        "type": evaluator.kind,
        "variables": variables_of(version.messages),
        "mapping": version.mapping,
        "evaluationRuleCount": rules,
        "createdAt": iso(evaluator.created_at),
        "updatedAt": iso(evaluator.updated_at),
    }
    if evaluator.kind == EvaluatorKind.CODE:
        return {**shown, "sourceCode": version.source_code, "sourceCodeLanguage": version.source_language}
    model = version.model
    return {
        **shown,
        "prompt": "\n\n".join(message["content"] for message in version.messages),
        "outputDefinition": _output_shown(version.output),
        "modelConfig": {"provider": model["provider"], "model": model["model"]} if model else None,
    }


def _output_shown(kept: dict[str, Any]) -> dict[str, Any]:
    score: dict[str, Any] = {"description": kept["scoreValueInstructions"]}
    if kept["dataType"] == "NUMERIC":
        score |= {key: whole(kept[key]) for key in ("minValue", "maxValue") if kept[key] is not None}
    elif kept["dataType"] == "CATEGORICAL":
        score["categories"] = [one["label"] for one in kept["categories"]]
        score["shouldAllowMultipleMatches"] = kept["shouldAllowMultipleMatches"]
    reasoning = {"description": kept["scoreReasoningInstructions"]}
    return {"dataType": kept["dataType"], "reasoning": reasoning, "score": score}


def _fields(body: Any) -> EvaluatorFields:
    if not isinstance(body, dict):
        raise Invalid(issues=[wrong_type("object", body, ())])
    issues: list[Issue] = []
    check_text(body, "name", (), issues, required=True)
    check_option(body, "type", (), issues, _TYPES)
    check_text(body, "prompt", (), issues)
    if issues:
        raise Invalid(issues=issues)
    prompt = body.get("prompt")
    return EvaluatorFields(
        name=body["name"],
        kind=body.get("type") or EvaluatorKind.LLM_AS_JUDGE,
        messages=[{"role": "user", "content": prompt}] if prompt else (),
        output=_output_given(body.get("outputDefinition")),
        model=body.get("modelConfig"),
        mapping=body.get("mapping"),
        source_code=body.get("sourceCode") or "",
        source_language=body.get("sourceCodeLanguage") or "",
    )


def _output_given(given: Any) -> Any:
    """As newer clients send it."""
    if not isinstance(given, dict):
        return given
    reasoning, score = given.get("reasoning"), given.get("score")
    reasoning = reasoning if isinstance(reasoning, dict) else {}
    score = score if isinstance(score, dict) else {}
    return {
        "dataType": given.get("dataType"),
        **{key: score.get(key) for key in ("minValue", "maxValue", "categories", "shouldAllowMultipleMatches")},
        "scoreReasoningInstructions": reasoning.get("description"),
        "scoreValueInstructions": score.get("description"),
    }


# --- Rules -------------------------------------------------------------------------------------------------
class UnstableRules(_View):
    @describe_structured("List rules of evaluation (old)", query=PAGE, answer=UnstableRulePage)
    def get(self, request: Request) -> Response:
        page = _page(request, rule_queries.rules(self.scope).prefetch_related("assignments__evaluator"))
        return Response({"data": [_rule(one) for one in page.items], "meta": meta(page)})

    @describe_structured(
        "Create a rule of evaluation (old)",
        body=GivenUnstableRule,
        answer=UnstableRule,
        text="Names one evaluator, or a list of them.",
    )
    def post(self, request: Request) -> Response:
        body = _translated(self, self.body(), is_new=True)
        fields = RuleFields(**{"name": "", **changes_of(body), "target": body.get("target") or TargetKind.OBSERVATION})
        rule = rule_actions.create_rule(self.scope, fields, actor=self.actor)
        return Response(_rule(rule_queries.get_rule(self.scope, rule.pk)))


class OneUnstableRule(_View):
    @describe_structured("Read a rule of evaluation (old)", query=[_RULE], answer=UnstableRule)
    def get(self, request: Request, rule_id: str) -> Response:
        return Response(_rule(rule_queries.get_rule(self.scope, rule_id)))

    @describe_structured(
        "Change a rule of evaluation (old)",
        query=[_RULE],
        body=UnstableRuleChanges,
        answer=UnstableRule,
        text="What is not named stays; `evaluators` replaces all there were.",
    )
    def patch(self, request: Request, rule_id: str) -> Response:
        rule_queries.get_rule(self.scope, rule_id)
        body = _translated(self, self.body(), is_new=False)
        changes = changes_of(body)
        if body.get("target") is not None:
            changes["target"] = body["target"]
        if not changes:
            raise Invalid(issues=[custom((), "Request body cannot be empty")])
        return Response(_rule(rule_actions.update_rule(self.scope, rule_id, changes, actor=self.actor)))

    @describe_structured("Delete a rule of evaluation (old)", query=[_RULE], answer=Message)
    def delete(self, request: Request, rule_id: str) -> Response:
        rule_actions.delete_rule(self.scope, rule_id, actor=self.actor)
        return Response({"message": "Evaluation rule successfully deleted"})


def _translated(view: StructuredView, body: Any, *, is_new: bool) -> dict[str, Any]:
    """As newer clients send it: assignments by id."""
    if not isinstance(body, dict):
        raise Invalid(issues=[wrong_type("object", body, ())])
    one, many = body.get("evaluator"), body.get("evaluators")
    if is_new and (one is None) == (many is None):
        raise Invalid(issues=[custom((), "Name either evaluator or evaluators")])
    if body.get("target") is not None and body["target"] not in _TARGETS:
        raise Invalid(issues=[custom(("target",), f"Expected one of {', '.join(_TARGETS)}")])
    if one is not None:
        many = [{"evaluator": one, "mapping": body.get("mapping")}]
    found = dict(body)
    if many is not None:
        if not isinstance(many, list) or not 1 <= len(many) <= _MOST:
            raise Invalid(issues=[custom(("evaluators",), f"Name 1 to {_MOST} evaluators")])
        found["evaluatorAssignments"] = [_assigned(view, given, number) for number, given in enumerate(many)]
    return checked(found, is_new=is_new)


def _assigned(view: StructuredView, given: Any, number: int) -> dict[str, Any]:
    """Evaluators are named by id, or by name."""
    named = given.get("evaluator", given) if isinstance(given, dict) else None
    if not isinstance(named, dict) or not isinstance(named.get("id") or named.get("name"), str):
        raise Invalid(issues=[custom(("evaluators", number), "Name the evaluator by its id or name")])
    id_ = named.get("id")
    if id_ is None:
        known = queries.evaluators(view.scope).filter(name=named["name"].replace("\x00", ""))
        evaluator = known.order_by("-created_at").first()
        id_ = evaluator.pk if evaluator else ""
    return {"evaluatorId": id_, "variableMapping": given.get("mapping")}


def _rule(rule: Rule) -> dict[str, Any]:
    assigned = list(rule.assignments.all())
    paused = next((one.evaluator for one in assigned if one.evaluator.status == EvaluatorStatus.PAUSED), None)
    status = "inactive" if not rule.is_enabled else "paused" if paused else "active"
    first = assigned[0] if assigned else None
    is_paused = paused is not None and rule.is_enabled
    return {
        "id": rule.pk,
        "name": rule.name,
        "evaluator": _named(first.evaluator) if first else None,
        "evaluators": [{"evaluator": _named(one.evaluator), "mapping": one.mapping} for one in assigned],
        "enabled": rule.is_enabled,
        "status": status,
        "pausedReason": paused.paused_reason or None if is_paused and paused else None,
        "pausedMessage": paused.paused_message or None if is_paused and paused else None,
        "sampling": whole(rule.sampling),
        "target": rule.target,
        "filter": rule.filter,
        "mapping": (first.mapping if first else None) or [],
        "createdAt": iso(rule.created_at),
        "updatedAt": iso(rule.updated_at),
    }


def _named(evaluator: Evaluator) -> dict[str, Any]:
    return {"id": evaluator.pk, "name": evaluator.name, "type": evaluator.kind, "scope": "project"}
