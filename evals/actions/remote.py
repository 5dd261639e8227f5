"""Experiments that a program of one's own runs: this server asks it to, by a signed message."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.access import ProjectScope
from accounts.audit import Actor, record
from accounts.roles import Role
from config.errors import Conflict, NotFound, SpanwiseError, wrong
from config.outgoing import AddressRefused, Purpose, check_url
from config.sealing import Unreadable, masked, seal
from evals.experiments import remote
from evals.models import Dataset
from prompts.actions.sending import Outcome, post
from prompts.headers import headers_problem
from tracing.actions.jobs import Step, job_kind, start_job
from tracing.models.jobs import Job

JOB = "remote-experiment"
ADDRESS_LENGTH = 2_000
MOST_BYTES = 256 * 1024
#: of what came back, in characters
_KEPT = 2_000
#: so long the page that asks waits itself
_AT_ONCE_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class Given:
    """Where experiments of a dataset are run. A header of None keeps the value that is there."""

    url: str
    payload: str = ""
    headers: Mapping[str, str | None] = field(default_factory=dict)


def set_remote(scope: ProjectScope, dataset: Dataset, given: Given, *, actor: Actor) -> str:
    """Returns the secret that messages are signed with where it is new, which is told this once; else "". Raises
    Invalid by field."""
    scope.require(Role.ADMIN)
    problems = _problems(dataset, given)
    if problems:
        raise wrong(problems)
    with transaction.atomic():
        held = _locked(scope, dataset)
        # Once more, by what is there by now: another save may have moved it since.
        if words := _headers_problem(held, given):
            raise wrong({"headers": words})
        before = _facts(held)
        try:
            kept = held.headers if None in given.headers.values() else {}
            held.set_headers({name: kept[name] if text is None else text for name, text in given.headers.items()})
        except (Unreadable, KeyError):
            raise wrong({"headers": _("The kept headers cannot be read any more: enter them again.")}) from None
        secret = "" if held.sealed_remote_secret else _sign_anew(held)
        held.remote_url, held.remote_payload_text = given.url, given.payload
        held.save()
        record(actor, "dataset.remote", held, before=before, after=_facts(held))
    return secret


def renew_secret(scope: ProjectScope, dataset: Dataset, *, actor: Actor) -> str:
    """From the next message on, the new one signs."""
    scope.require(Role.ADMIN)
    with transaction.atomic():
        held = _locked(scope, dataset)
        if not held.remote_url:
            raise Conflict(_("No address is set."))
        secret = _sign_anew(held)
        held.save()
        record(actor, "dataset.remote_secret", held, after={"secret": masked(secret)})
    return secret


def remove_remote(scope: ProjectScope, dataset: Dataset, *, actor: Actor) -> None:
    scope.require(Role.ADMIN)
    with transaction.atomic():
        held = _locked(scope, dataset)
        before = _facts(held)
        held.remote_url = held.remote_payload_text = held.sealed_remote_secret = ""
        held.set_headers({})
        held.save()
        record(actor, "dataset.remote", held, before=before, after=_facts(held))


def trigger(scope: ProjectScope, dataset: Dataset, payload: str, *, actor: Actor) -> Job:
    """Asks for an experiment, with this JSON as its settings. Raises Invalid for what is no JSON, and Conflict where
    there is nobody to ask."""
    scope.require(Role.MEMBER)
    if not dataset.remote_url:
        raise Conflict(_("No address is set that runs experiments of this dataset."))
    if problem := _payload_problem(payload):
        raise wrong({"payload": problem})
    parameters = {"dataset": dataset.pk, "payload": payload}
    return start_job(scope, JOB, parameters, actor=actor, total=1, at_once_seconds=_AT_ONCE_SECONDS)


@job_kind(JOB, title=gettext_lazy("Ask for an experiment"), role=Role.MEMBER)
def _ask(scope: ProjectScope, job: Job, step: Step) -> None:
    """One message. It is written down before it is sent: what a killed worker had begun may have arrived, and an
    experiment that runs twice costs money."""
    if "problem" in step.cursor:
        return _end(step.cursor["problem"])
    if step.cursor.get("is_sent"):
        raise SpanwiseError(_("Cut off while it was sent: it may have arrived. Look for the run before you ask again."))
    dataset = Dataset.objects.filter(project_id=scope.project_id, pk=job.parameters["dataset"]).first()
    if dataset is None or not dataset.remote_url:
        raise NotFound(_("The dataset, or its address, is not there any more."))
    message = remote.message_of(dataset, str(job.pk), job.parameters["payload"], timezone.now())
    step.save(cursor={"is_sent": True}, stops=False)
    outcome = post(message)
    words = message.masked_in(_words_of(outcome))
    problem = words if outcome.problem else ""
    step.save(
        cursor={"problem": problem},
        done=0 if problem else 1,
        failed=1 if problem else 0,
        message=words,
        result={"status": outcome.status_code, "body": message.masked_in(outcome.body)[:_KEPT]},
        stops=False,
    )
    return _end(problem)


def _end(problem: str) -> None:
    if problem:
        raise SpanwiseError(problem)


def _words_of(outcome: Outcome) -> str:
    if outcome.problem:
        return f"{outcome.problem} {outcome.body[:300]}".strip()
    return _("It answered %(status)d.") % {"status": outcome.status_code or 0}


# --- Rows ------------------------------------------------------------------------------------------------
def _locked(scope: ProjectScope, dataset: Dataset) -> Dataset:
    found = Dataset.objects.select_for_update().filter(project_id=scope.project_id, pk=dataset.pk).first()
    if found is None:
        raise NotFound("Dataset not found")
    return found


def _sign_anew(dataset: Dataset) -> str:
    secret = f"lf-whsec_{secrets.token_hex(32)}"
    dataset.sealed_remote_secret = seal(secret)
    return secret


def _facts(dataset: Dataset) -> dict[str, Any]:
    """For the log of changes: no secret, and no value of a header."""
    return {"address": dataset.remote_url, "headers": dataset.header_names, "payload": dataset.remote_payload_text}


# --- What is wrong ---------------------------------------------------------------------------------------
def _problems(dataset: Dataset, given: Given) -> dict[str, str]:
    found = {
        "url": _url_problem(given.url),
        "payload": _payload_problem(given.payload),
        "headers": _headers_problem(dataset, given),
    }
    return {name: words for name, words in found.items() if words}


def _headers_problem(dataset: Dataset, given: Given) -> str:
    goes_elsewhere = bool(dataset.remote_url) and dataset.remote_url != given.url
    return headers_problem(given.headers, list(dataset.header_names), goes_elsewhere=goes_elsewhere)


def _url_problem(url: str) -> str:
    if not url:
        return _("Enter the address.")
    if len(url) > ADDRESS_LENGTH:
        return _("An address has at most %(most)d characters.") % {"most": ADDRESS_LENGTH}
    try:
        check_url(Purpose.WEBHOOK, url)
    except AddressRefused as refusal:
        return str(refusal.message)
    return ""


def _payload_problem(payload: str) -> str:
    if len(payload.encode()) > MOST_BYTES:
        return _("The settings have %(most)d KB at most.") % {"most": MOST_BYTES >> 10}
    try:
        if payload.strip():
            orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        place = {"line": error.lineno, "column": error.colno}
        return _("This is no JSON: look at line %(line)d, column %(column)d.") % place
    return ""
