"""Evaluators: made, changed by new versions, paused, tried before they are saved, deleted."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import IntegrityError, transaction
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.access import ProjectScope, scope_for_task
from accounts.audit import SYSTEM, Actor, record
from accounts.models import Project
from accounts.queries import list_project_members
from accounts.roles import Role
from config.errors import Conflict, Invalid, NotFound, issue
from evals.judging.calling import call_worker
from evals.judging.definition import Definition, check_definition, check_model
from evals.judging.targets import Target
from evals.models import (
    Assignment,
    DefaultJudge,
    Evaluator,
    EvaluatorKind,
    EvaluatorStatus,
    EvaluatorVersion,
    Judgement,
    JudgementStatus,
    Trial,
)
from evals.models.judging import EVALUATOR_NAME_LENGTH
from evals.queries.evaluators import evaluators, get_evaluator, latest_of

log = logging.getLogger(__name__)

_LONGEST_DESCRIPTION = 10_000
#: of a project that wait or run, so that nobody fills the crew with tests
_MOST_TRIALS = 10


@dataclass(frozen=True, slots=True)
class EvaluatorFields:
    """As typed or sent; `output` as `evals.judging.output.read_output` takes it, `mapping` None for none yet."""

    name: str
    description: str = ""
    kind: str = EvaluatorKind.LLM_AS_JUDGE
    messages: Sequence[Mapping[str, Any]] = ()
    output: Mapping[str, Any] | None = None
    #: {"provider", "model", "parameters"}; None for the project's default judge
    model: Mapping[str, Any] | None = None
    mapping: Sequence[Mapping[str, Any]] | None = None
    template: str = ""
    source_code: str = ""
    source_language: str = ""

    def definition(self) -> Definition:
        """Checked. Raises Invalid with issues."""
        return check_definition(
            kind=self.kind,
            messages=self.messages,
            output=self.output,
            model=self.model,
            mapping=list(self.mapping) if isinstance(self.mapping, tuple) else self.mapping,
            source_code=self.source_code,
            source_language=self.source_language,
        )


def create_evaluator(scope: ProjectScope, fields: EvaluatorFields, *, actor: Actor) -> Evaluator:
    """With version 1. Raises Invalid with all that is wrong."""
    scope.require(Role.MEMBER)
    definition = _checked(fields)
    with transaction.atomic():
        evaluator = Evaluator.objects.create(
            project_id=scope.project_id,
            name=fields.name.strip(),
            description=fields.description,
            kind=fields.kind,
            template=fields.template[:100],
            created_by_id=scope.user_id or None,
        )
        _add_version(scope, evaluator, 1, definition)
        record(actor, "evaluator.create", evaluator, after={"name": evaluator.name, "kind": evaluator.kind})
    return evaluator


def save_version(
    scope: ProjectScope, evaluator_id: str, fields: EvaluatorFields, *, actor: Actor, based_on: int | None
) -> EvaluatorVersion:
    """A new version, with name and description along. Nothing is kept twice: what says the same as the latest version
    is that one. Raises Conflict when `based_on` (None: whichever) is not the latest any more, or for another kind."""
    scope.require(Role.MEMBER)
    evaluator = get_evaluator(scope, evaluator_id)
    if fields.kind != evaluator.kind:
        raise Conflict(_("The kind of an evaluator never changes: make another one."))
    definition = _checked(fields)
    with transaction.atomic():
        Evaluator.objects.select_for_update().filter(pk=evaluator.pk).first()
        evaluator = get_evaluator(scope, evaluator_id)  # read once it is locked
        latest = latest_of(evaluator)
        if based_on is not None and based_on != latest.number:
            raise Conflict(
                _("Somebody saved version %(latest)d meanwhile. Look at it, then save yours over it.")
                % {"latest": latest.number}
            )
        _rename(evaluator, fields.name, fields.description, actor)
        columns = definition.as_columns()
        if all(getattr(latest, name) == text for name, text in columns.items()):
            return latest
        try:
            with transaction.atomic():
                version = _add_version(scope, evaluator, latest.number + 1, definition)
        except IntegrityError:
            raise Conflict(_("Somebody saved a version at the same moment. Look at it, then save again.")) from None
        Evaluator.objects.filter(pk=evaluator.pk).update(updated_at=timezone.now())
        record(actor, "evaluator.version", evaluator, after={"version": version.number})
    return version


def rename_evaluator(
    scope: ProjectScope, evaluator_id: str, *, name: str | None = None, description: str | None = None, actor: Actor
) -> Evaluator:
    """None leaves as it is. Scores that were written keep the name that they have."""
    scope.require(Role.MEMBER)
    evaluator = get_evaluator(scope, evaluator_id)
    new_name = evaluator.name if name is None else name
    new_description = evaluator.description if description is None else description
    issues = _name_issues(new_name, new_description)
    if issues:
        raise Invalid(issues=issues)
    with transaction.atomic():
        _rename(evaluator, new_name, new_description, actor)
    return evaluator


def pause_evaluator(scope: ProjectScope, evaluator_id: str, *, actor: Actor) -> Evaluator:
    """What waits for it goes on waiting."""
    scope.require(Role.MEMBER)
    evaluator = get_evaluator(scope, evaluator_id)
    _pause(evaluator, "manual", _("Paused by %(who)s.") % {"who": actor.name or _("the system")}, actor)
    return evaluator


def resume_evaluator(scope: ProjectScope, evaluator_id: str, *, actor: Actor) -> Evaluator:
    """All that waited for it goes on at once."""
    scope.require(Role.MEMBER)
    evaluator = get_evaluator(scope, evaluator_id)
    with transaction.atomic():
        paused = Evaluator.objects.filter(pk=evaluator.pk, status=EvaluatorStatus.PAUSED)
        changed = paused.update(
            status=EvaluatorStatus.ACTIVE,
            paused_at=None,
            paused_reason="",
            paused_message="",
            updated_at=timezone.now(),
        )
        if changed:
            record(actor, "evaluator.resume", evaluator, before={"why": evaluator.paused_reason})
            waiting = Judgement.objects.filter(evaluator=evaluator, status=JudgementStatus.WAITING)
            waiting.filter(attempts__gt=0, held_by="").update(due_at=timezone.now())
            transaction.on_commit(call_worker)
    evaluator.refresh_from_db()
    return evaluator


def delete_evaluator(scope: ProjectScope, evaluator_id: str, *, actor: Actor) -> None:
    """With its judgements; scores stay. Raises Conflict while a rule that is on uses it."""
    scope.require(Role.MEMBER)
    evaluator = get_evaluator(scope, evaluator_id)
    with transaction.atomic():
        used = Assignment.objects.filter(evaluator=evaluator, rule__is_enabled=True).select_related("rule").first()
        if used is not None:
            raise Conflict(
                _("The rule “%(rule)s” uses it. Switch that off, or take the evaluator out of it.")
                % {"rule": used.rule.name}
            )
        record(actor, "evaluator.delete", evaluator, before={"name": evaluator.name})
        evaluator.delete()


def set_default_model(
    scope: ProjectScope, provider: str, model: str, parameters: Mapping[str, Any], *, actor: Actor
) -> None:
    """The model that evaluators ask when they name none. Those that were paused for want of one go on."""
    scope.require(Role.MEMBER)
    checked = check_model({"provider": provider, "model": model, "parameters": parameters})
    said = checked.as_json()
    with transaction.atomic():
        before = DefaultJudge.objects.filter(project_id=scope.project_id).first()
        DefaultJudge.objects.update_or_create(
            project_id=scope.project_id, defaults={"model_text": orjson.dumps(said).decode()}
        )
        project = Project.objects.get(pk=scope.project_id)
        record(actor, "evaluator.default", project, before=before.model if before else None, after=said)
        waiting = evaluators(scope).filter(status=EvaluatorStatus.PAUSED, paused_reason="no_model")
        for evaluator in list(waiting):
            resume_evaluator(scope, evaluator.pk, actor=actor)


def start_trial(scope: ProjectScope, fields: EvaluatorFields, target: Target, *, actor: Actor) -> Trial:
    """Tries a definition as it is typed on one target. Raises Invalid with what is wrong in it."""
    scope.require(Role.MEMBER)
    target.check()
    definition = fields.definition()
    if definition.kind == EvaluatorKind.LLM_AS_JUDGE and definition.mapping is None and definition.variables:
        raise Invalid(issues=[issue(("variableMapping",), _("Map the variables first."))])
    going = Trial.objects.filter(
        project_id=scope.project_id, status__in=(JudgementStatus.WAITING, JudgementStatus.RUNNING)
    )
    if going.count() >= _MOST_TRIALS:
        raise Conflict(_("Other tests of this project still run. Wait for one of them."))
    said = {**definition.as_json(), "name": fields.name.strip()[:EVALUATOR_NAME_LENGTH]}
    trial = Trial.objects.create(
        project_id=scope.project_id,
        author_id=scope.user_id or None,
        definition_text=orjson.dumps(said).decode(),
        target=target.kind,
        trace_id=target.trace_id,
        observation_id=target.observation_id,
        session_id=target.session_id,
        target_at=target.at,
        execution_trace_id=uuid.uuid4().hex,
    )
    transaction.on_commit(call_worker)
    return trial


# --- Paused by what happens --------------------------------------------------------------------------------
def pause_for(evaluator: Evaluator, reason: str, message: str) -> None:
    """Because nothing can come of asking: the key is refused, the model or connection is gone. Tells admins once."""
    if _pause(evaluator, reason, message, SYSTEM):
        _tell_admins(evaluator, message)


def _pause(evaluator: Evaluator, reason: str, message: str, actor: Actor) -> bool:
    now = timezone.now()
    with transaction.atomic():
        active = Evaluator.objects.filter(pk=evaluator.pk, status=EvaluatorStatus.ACTIVE)
        said = {"paused_reason": reason[:100], "paused_message": message[:5000]}
        if not active.update(status=EvaluatorStatus.PAUSED, paused_at=now, updated_at=now, **said):
            return False
        record(actor, "evaluator.pause", evaluator, after={"why": reason})
    evaluator.refresh_from_db()
    return True


def _tell_admins(evaluator: Evaluator, message: str) -> None:
    """One mail each, so that nobody learns who else there is. A mail that cannot be sent changes nothing."""
    project = Project.objects.filter(pk=evaluator.project_id).first()
    if project is None:
        return
    names = {"name": evaluator.name, "project": project.name}
    subject = _("The evaluator “%(name)s” of %(project)s is paused") % names
    waits = _("What it has to judge waits, and nothing is lost. Once the cause is gone, resume it:")
    body = "\n\n".join([subject + ".", message, waits, _address_of(evaluator)])
    try:
        members = list_project_members(scope_for_task(evaluator.project_id))
    except NotFound:
        return
    for address in [member.email for member in members if member.role.allows(Role.ADMIN)]:
        try:
            EmailMessage(" ".join(subject.split()), body, to=[address]).send()
        except Exception as error:  # whatever the mail backend raises
            log.warning("No mail about evaluator %s: %s", evaluator.pk, error)


def _address_of(evaluator: Evaluator) -> str:
    try:
        page = reverse("evals:evaluator-detail", args=[evaluator.project_id, evaluator.pk])
    except NoReverseMatch:
        page = f"/projects/{evaluator.project_id}/evaluators/{evaluator.pk}/"
    return f"{settings.PUBLIC_URL}{page}"


# --- Parts -------------------------------------------------------------------------------------------------
def _checked(fields: EvaluatorFields) -> Definition:
    issues = _name_issues(fields.name, fields.description)
    try:
        definition = fields.definition()
    except Invalid as error:
        raise Invalid(issues=[*issues, *(error.issues or [])]) from None
    if issues:
        raise Invalid(issues=issues)
    return definition


def _name_issues(name: Any, description: Any) -> list[dict[str, object]]:
    issues = []
    if not isinstance(name, str) or not name.strip() or len(name.strip()) > EVALUATOR_NAME_LENGTH or "\x00" in name:
        said = _("A name has 1 to %(most)d characters.") % {"most": EVALUATOR_NAME_LENGTH}
        issues.append(issue(("name",), said))
    if not isinstance(description, str) or len(description) > _LONGEST_DESCRIPTION or "\x00" in description:
        said = _("A description has at most %(most)d characters.") % {"most": _LONGEST_DESCRIPTION}
        issues.append(issue(("description",), said))
    return issues


def _add_version(scope: ProjectScope, evaluator: Evaluator, number: int, definition: Definition) -> EvaluatorVersion:
    return EvaluatorVersion.objects.create(
        evaluator=evaluator, number=number, created_by_id=scope.user_id or None, **definition.as_columns()
    )


def _rename(evaluator: Evaluator, name: str, description: str, actor: Actor) -> None:
    before = {"name": evaluator.name, "description": evaluator.description}
    after = {"name": name.strip(), "description": description}
    if before == after:
        return
    evaluator.name, evaluator.description = after["name"], after["description"]
    evaluator.save(update_fields=["name", "description", "updated_at"])
    record(actor, "evaluator.change", evaluator, before=before, after=after)
