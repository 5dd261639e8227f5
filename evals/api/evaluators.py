"""Evaluators: list, create, read, change, delete, and their versions."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from django.db.models import OuterRef, Q, QuerySet, Subquery
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from config.api.describe import Given, Shape, in_path, parameter
from config.api.values import iso
from config.errors import Invalid
from evals.actions import evaluators as actions
from evals.actions.evaluators import EvaluatorFields
from evals.api.structured import StructuredView, describe_structured
from evals.judging.mapping import variables_of
from evals.models import Assignment, Evaluator, EvaluatorKind, EvaluatorVersion
from evals.queries import evaluators as queries
from tracing.api.numbers import whole
from tracing.api.params import Params
from tracing.ingest.issues import Issue, check_option, check_text, custom, wrong_type
from tracing.queries.paging import decode_cursor, encode_cursor

#: fields of a definition, of which a change names all or none
_DEFINITION = ("prompt", "outputDefinition", "modelConfig", "variableMapping", "sourceCode", "sourceCodeLanguage")
CURSOR = (
    parameter("limit", "How many on a page.", int, low=1, high=100, default=50),
    parameter("cursor", "`meta.cursor` of the page before."),
)
_TYPES = tuple(EvaluatorKind.values)


# --- Shapes ------------------------------------------------------------------------------------------------
class EvaluatorCreator(Shape):
    id: str
    name: str | None


class JudgeMappingShape(Shape):
    variable: str
    source: str | None
    jsonPath: str = ""
    isOptional: bool = False


class JudgeMessageShape(Shape):
    role: Literal["system", "user", "assistant"]
    content: str


class JudgeModelShape(Shape):
    provider: str
    model: str


class JudgeOutputShape(Shape):
    dataType: Literal["NUMERIC", "BOOLEAN", "CATEGORICAL", "TEXT"]
    minValue: float | None = None
    maxValue: float | None = None
    categories: list[str] = []
    shouldAllowMultipleMatches: bool = False
    scoreReasoningInstructions: str = ""
    scoreValueInstructions: str = ""


class EvaluatorAssignmentShape(Shape):
    evaluationRuleId: str
    variableMappingOverride: list[JudgeMappingShape] | None = None


class _EvaluatorShape(Shape):
    id: str
    name: str
    description: str | None
    createdBy: EvaluatorCreator | None
    status: Literal["active", "paused"]
    pausedAt: datetime | None
    pausedReason: str | None
    pausedMessage: str | None
    evaluationRuleAssignments: list[EvaluatorAssignmentShape]
    createdAt: datetime
    updatedAt: datetime
    versionId: str
    version: int
    versionCreatedAt: datetime
    versionCreatedBy: EvaluatorCreator | None


class LlmEvaluatorShape(_EvaluatorShape):
    type: Literal["llm_as_judge"]
    prompt: list[JudgeMessageShape]
    variables: list[str]
    variableMapping: list[JudgeMappingShape] | None
    modelConfig: JudgeModelShape | None
    outputDefinition: JudgeOutputShape


class CodeEvaluatorShape(_EvaluatorShape):
    type: Literal["code"]
    sourceCode: str
    sourceCodeLanguage: Literal["PYTHON", "TYPESCRIPT"]


class EvaluatorCursor(Shape):
    cursor: str | None = None


class EvaluatorPage(Shape):
    data: list[LlmEvaluatorShape | CodeEvaluatorShape]
    meta: EvaluatorCursor


class _EvaluatorVersionShape(Shape):
    id: str
    version: int
    createdAt: datetime
    createdBy: EvaluatorCreator | None


class LlmEvaluatorVersion(_EvaluatorVersionShape):
    type: Literal["llm_as_judge"]
    prompt: list[JudgeMessageShape]
    variables: list[str]
    variableMapping: list[JudgeMappingShape] | None
    modelConfig: JudgeModelShape | None
    outputDefinition: JudgeOutputShape


class CodeEvaluatorVersion(_EvaluatorVersionShape):
    type: Literal["code"]
    sourceCode: str
    sourceCodeLanguage: Literal["PYTHON", "TYPESCRIPT"]


class EvaluatorVersionPage(Shape):
    data: list[LlmEvaluatorVersion | CodeEvaluatorVersion]
    meta: EvaluatorCursor


class DeletedById(Shape):
    id: str


class GivenJudgeMessage(Given):
    role: Literal["system", "user", "assistant"]
    content: str


class GivenJudgeMapping(Given):
    variable: str
    source: str
    jsonPath: str | None = None


class GivenEvaluator(Given):
    type: Literal["llm_as_judge", "code"]
    name: str
    description: str | None = None
    prompt: str | list[GivenJudgeMessage] | None = None
    modelConfig: JudgeModelShape | None = None
    variableMapping: list[GivenJudgeMapping] | None = None
    outputDefinition: dict[str, Any] | None = None
    sourceCode: str | None = None
    sourceCodeLanguage: Literal["PYTHON", "TYPESCRIPT"] | None = None


class EvaluatorChanges(Given):
    type: Literal["llm_as_judge", "code"] | None = None
    name: str | None = None
    description: str | None = None
    prompt: str | list[GivenJudgeMessage] | None = None
    modelConfig: JudgeModelShape | None = None
    variableMapping: list[GivenJudgeMapping] | None = None
    outputDefinition: dict[str, Any] | None = None
    sourceCode: str | None = None
    sourceCodeLanguage: Literal["PYTHON", "TYPESCRIPT"] | None = None


# --- Routes ------------------------------------------------------------------------------------------------
_RULES = (
    "An `llm_as_judge` needs a prompt and an outputDefinition, `code` needs sourceCode in PYTHON. The prompt is one "
    "text or a list of messages with {{variables}}; outputDefinition is of one of the types NUMERIC (with bounds), "
    "BOOLEAN, CATEGORICAL (from two categories on) and TEXT."
)
_ID = in_path("evaluator_id", "The id of the evaluator.")


class Evaluators(StructuredView):
    @describe_structured(
        "List evaluators",
        query=CURSOR,
        answer=EvaluatorPage,
        text="Newest first. Those whose answer is a TEXT are left out, since clients know no such type; each of them "
        "can be read by its id.",
    )
    def get(self, request: Request) -> Response:
        limit, cursor = cursor_of(request)
        listed = _with_known_answers(queries.evaluators(self.scope)).select_related("created_by")
        page, meta = page_of(listed, limit, cursor)
        return Response({"data": shown(page), "meta": meta})

    @describe_structured(
        "Create an evaluator",
        body=GivenEvaluator,
        answer=LlmEvaluatorShape | CodeEvaluatorShape,
        text=f"Always makes a new one, with version 1: names need not be unique. {_RULES}",
    )
    def post(self, request: Request) -> Response:
        body = _checked(self.body(), is_new=True)
        evaluator = actions.create_evaluator(self.scope, _fields(body, body["name"], ""), actor=self.actor)
        return Response(shown([queries.get_evaluator(self.scope, evaluator.pk)])[0])


class OneEvaluator(StructuredView):
    @describe_structured("Read an evaluator", query=[_ID], answer=LlmEvaluatorShape | CodeEvaluatorShape)
    def get(self, request: Request, evaluator_id: str) -> Response:
        return Response(shown([queries.get_evaluator(self.scope, evaluator_id)])[0])

    @describe_structured(
        "Change an evaluator",
        query=[_ID],
        body=EvaluatorChanges,
        answer=LlmEvaluatorShape | CodeEvaluatorShape,
        text="Without a type only name and description change. With one (it never changes) the body holds the whole "
        f"definition, and a new version is made. {_RULES}",
    )
    def patch(self, request: Request, evaluator_id: str) -> Response:
        evaluator = queries.get_evaluator(self.scope, evaluator_id)
        body = _checked(self.body(), is_new=False)
        name: str = evaluator.name if body.get("name") is None else body["name"]
        description = body["description"] or "" if "description" in body else evaluator.description
        if body.get("type") is None:
            if not {"name", "description"} & set(body) or any(field in body for field in _DEFINITION):
                message = "Name name or description, or type with the whole definition"
                raise Invalid(issues=[custom((), message)])
            actions.rename_evaluator(self.scope, evaluator_id, name=name, description=description, actor=self.actor)
        else:
            fields = _fields(body, name, description)
            actions.save_version(self.scope, evaluator_id, fields, actor=self.actor, based_on=None)
        return Response(shown([queries.get_evaluator(self.scope, evaluator_id)])[0])

    @describe_structured(
        "Delete an evaluator",
        query=[_ID],
        answer=DeletedById,
        text="Its scores stay. One that a rule uses that is on cannot be deleted.",
    )
    def delete(self, request: Request, evaluator_id: str) -> Response:
        actions.delete_evaluator(self.scope, evaluator_id, actor=self.actor)
        return Response({"id": evaluator_id})


class EvaluatorVersions(StructuredView):
    @describe_structured(
        "List versions of an evaluator", query=[_ID, *CURSOR], answer=EvaluatorVersionPage, text="The newest first."
    )
    def get(self, request: Request, evaluator_id: str) -> Response:
        limit, cursor = cursor_of(request)
        evaluator = queries.get_evaluator(self.scope, evaluator_id)
        versions = evaluator.versions.select_related("created_by")
        page, meta = page_of(versions, limit, cursor)
        return Response({"data": [_version_shown(one, evaluator.kind) for one in page], "meta": meta})


# --- Pages -------------------------------------------------------------------------------------------------
def cursor_of(request: Request) -> tuple[int, str]:
    params = Params(request.query_params)
    limit, cursor = params.integer("limit", 50, low=1, high=100), params.text("cursor")
    params.check()
    return limit, cursor


def page_of(rows: QuerySet[Any], limit: int, cursor: str) -> tuple[list[Any], dict[str, str]]:
    """The page after the cursor, the newest first."""
    if cursor:
        at, id_ = decode_cursor(cursor, size=2)
        if "\x00" in str(id_):
            raise Invalid("Invalid cursor format")
        rows = rows.filter(Q(created_at__lt=at) | Q(created_at=at, pk__lt=id_))
    found = list(rows.order_by("-created_at", "-pk")[: limit + 1])
    if len(found) <= limit:
        return found, {}
    last = found[limit - 1]
    return found[:limit], {"cursor": encode_cursor(last.created_at, str(last.pk))}


def _with_known_answers(found: QuerySet[Evaluator]) -> QuerySet[Evaluator]:
    """Without those whose latest version answers by a text."""
    latest = EvaluatorVersion.objects.filter(evaluator=OuterRef("pk")).order_by("-number").values("output_text")[:1]
    return found.annotate(answers=Subquery(latest)).exclude(answers__startswith='{"dataType":"TEXT"')


# --- Shown -------------------------------------------------------------------------------------------------
def shown(found: list[Evaluator]) -> list[dict[str, Any]]:
    versions = queries.latest_versions(found)
    assigned: dict[str, list[Assignment]] = {}
    for one in Assignment.objects.filter(evaluator__in=[row.pk for row in found]).order_by("pk"):
        assigned.setdefault(one.evaluator_id, []).append(one)
    return [_shown(row, versions[row.pk], assigned.get(row.pk, [])) for row in found]


def _shown(evaluator: Evaluator, version: EvaluatorVersion, assigned: list[Assignment]) -> dict[str, Any]:
    return {
        "id": evaluator.pk,
        "name": evaluator.name,
        "description": evaluator.description or None,
        "createdBy": creator(evaluator.created_by),
        "status": evaluator.status,
        "pausedAt": iso(evaluator.paused_at) if evaluator.paused_at else None,
        "pausedReason": evaluator.paused_reason or None,
        "pausedMessage": evaluator.paused_message or None,
        "evaluationRuleAssignments": [_assignment(one) for one in assigned],
        "createdAt": iso(evaluator.created_at),
        "updatedAt": iso(evaluator.updated_at),
        "versionId": version.pk,
        "version": version.number,
        "versionCreatedAt": iso(version.created_at),
        "versionCreatedBy": creator(version.created_by),
        **_definition(version, evaluator.kind),
    }


def _assignment(one: Assignment) -> dict[str, Any]:
    found: dict[str, Any] = {"evaluationRuleId": one.rule_id}
    return found if one.mapping is None else {**found, "variableMappingOverride": one.mapping}


def creator(user: User | None) -> dict[str, Any] | None:
    return {"id": user.pk, "name": user.name or None} if user else None


def _version_shown(version: EvaluatorVersion, kind: str) -> dict[str, Any]:
    return {
        "id": version.pk,
        "version": version.number,
        "createdAt": iso(version.created_at),
        "createdBy": creator(version.created_by),
        **_definition(version, kind),
    }


def _definition(version: EvaluatorVersion, kind: str) -> dict[str, Any]:
    if kind == EvaluatorKind.CODE:
        return {
            "type": kind,
            "sourceCode": version.source_code,
            "sourceCodeLanguage": version.source_language,
        }
    model = version.model
    return {
        "type": kind,
        "prompt": version.messages,
        "variables": variables_of(version.messages),
        "variableMapping": version.mapping,
        "modelConfig": {"provider": model["provider"], "model": model["model"]} if model else None,
        "outputDefinition": _output(version.output),
    }


def _output(kept: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"dataType": kept["dataType"]}
    if kept["dataType"] == "NUMERIC":
        found |= {key: whole(kept[key]) for key in ("minValue", "maxValue") if kept[key] is not None}
    elif kept["dataType"] == "CATEGORICAL":
        found["categories"] = [one["label"] for one in kept["categories"]]
        found["shouldAllowMultipleMatches"] = kept["shouldAllowMultipleMatches"]
    texts = ("scoreReasoningInstructions", "scoreValueInstructions")
    return {**found, **{key: kept[key] for key in texts if kept[key]}}


# --- Given -------------------------------------------------------------------------------------------------
def _checked(body: Any, *, is_new: bool) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise Invalid(issues=[wrong_type("object", body, ())])
    issues: list[Issue] = []
    check_text(body, "name", (), issues, required=is_new)
    check_text(body, "description", (), issues)
    check_option(body, "type", (), issues, _TYPES, required=is_new)
    if issues:
        raise Invalid(issues=issues)
    return body


def _fields(body: dict[str, Any], name: str, description: str) -> EvaluatorFields:
    prompt = body.get("prompt")
    return EvaluatorFields(
        name=name,
        description=body.get("description") or description,
        kind=body["type"],
        messages=[{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt or (),
        output=body.get("outputDefinition"),
        model=body.get("modelConfig"),
        mapping=body.get("variableMapping"),
        source_code=body.get("sourceCode") or "",
        source_language=body.get("sourceCodeLanguage") or "",
    )
