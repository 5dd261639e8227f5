"""Experiments that a program of one's own runs: asked for once, by a message that it can trust."""

from __future__ import annotations

import hashlib
import hmac

import orjson
import pytest

from accounts.access import ProjectScope
from accounts.audit import SYSTEM
from accounts.models import AuditLog
from accounts.roles import Role
from config.errors import Conflict, Forbidden, Invalid
from evals.actions import remote as actions
from evals.actions.remote import Given
from evals.models import Dataset
from tests.prompts.receiver_stub import ReceiverStub
from tracing.actions import jobs
from tracing.models.jobs import Job, JobStatus

pytestmark = pytest.mark.django_db


@pytest.fixture
def receiver(settings):
    with ReceiverStub() as stub:
        settings.OUTGOING_ALLOWED = {"llm": [], "webhook": [f"localhost:{stub.port}"]}
        yield stub


@pytest.fixture
def scope(workspace):
    return ProjectScope(workspace.project.pk, Role.ADMIN, user_id=workspace.alice.pk)


@pytest.fixture
def dataset(project):
    return Dataset.objects.create(project=project, name="films/新")


def told(scope, dataset, **given):
    secret = actions.set_remote(scope, dataset, Given(**given), actor=SYSTEM)
    dataset.refresh_from_db()
    return secret


def issues(problem):
    return {issue["path"][0]: issue["message"] for issue in problem.value.issues}


def test_a_program_is_asked_by_a_signed_message(scope, dataset, receiver):
    secret = told(scope, dataset, url=receiver.url("/ok"), payload='{"a": 1}', headers={"X-Key": "secret-of-header"})
    assert secret.startswith("lf-whsec_")
    job = actions.trigger(scope, dataset, '{"model": "新"}', actor=SYSTEM)
    assert (job.status, job.done, job.result["status"]) == (JobStatus.DONE, 1, 200)
    [got] = receiver.got
    assert got.payload == {
        "id": str(job.pk),
        "projectId": scope.project_id,
        "datasetId": dataset.pk,
        "datasetName": "films/新",
        "payload": {"model": "新"},
    }
    headers = {name.lower(): value for name, value in got.headers.items()}
    at, _, signed = headers["x-langfuse-signature"].removeprefix("t=").partition(",v1=")
    assert signed == hmac.new(secret.encode(), f"{at}.".encode() + got.body, hashlib.sha256).hexdigest()
    assert headers["x-key"] == "secret-of-header"
    log = str(list(AuditLog.objects.values_list("before", "after")))
    assert "secret-of-header" not in log
    assert secret not in log


def test_a_program_that_refuses_is_heard_and_secrets_are_masked(scope, dataset, receiver):
    told(scope, dataset, url=receiver.url("/echo"), headers={"X-Key": "secret-of-header"})
    receiver.answers.append(500)
    job = actions.trigger(scope, dataset, "", actor=SYSTEM)
    assert (job.status, job.failed) == (JobStatus.FAILED, 1)
    assert "500" in job.message
    job = actions.trigger(scope, dataset, "", actor=SYSTEM)
    assert job.status == JobStatus.DONE
    assert "films" in job.result["body"]
    assert "secret-of-header" not in str(Job.objects.values_list("result", "message", "parameters"))


def test_what_a_killed_worker_had_begun_is_not_sent_again(scope, dataset, receiver):
    told(scope, dataset, url=receiver.url("/ok"))
    job = actions.trigger(scope, dataset, "", actor=SYSTEM)
    Job.objects.filter(pk=job.pk).update(status=JobStatus.QUEUED, cursor={"is_sent": True}, finished_at=None)
    job.refresh_from_db()
    jobs.run_job(job)
    job.refresh_from_db()
    assert job.status == JobStatus.FAILED
    assert "may have arrived" in job.message
    assert len(receiver.got) == 1


def test_a_secret_is_told_once_and_can_be_renewed(scope, dataset, receiver):
    first = told(scope, dataset, url=receiver.url("/ok"))
    assert told(scope, dataset, url=receiver.url("/ok"), payload="[]") == ""
    second = actions.renew_secret(scope, dataset, actor=SYSTEM)
    assert second not in ("", first)
    dataset.refresh_from_db()
    assert dataset.remote_secret == second


def test_kept_headers_do_not_go_to_another_address(scope, dataset, receiver):
    told(scope, dataset, url=receiver.url("/ok"), headers={"X-Key": "secret-of-header"})
    told(scope, dataset, url=receiver.url("/ok"), payload="{}", headers={"X-Key": None})
    assert dataset.headers == {"X-Key": "secret-of-header"}
    with pytest.raises(Invalid) as problem:
        told(scope, dataset, url=receiver.url("/elsewhere"), headers={"X-Key": None})
    assert "X-Key" in issues(problem)["headers"]
    stale = Dataset.objects.get(pk=dataset.pk)
    told(scope, dataset, url=receiver.url("/elsewhere"), headers={"X-Key": "secret-of-elsewhere"})
    with pytest.raises(Invalid):
        actions.set_remote(scope, stale, Given(url=receiver.url("/ok"), headers={"X-Key": None}), actor=SYSTEM)
    actions.remove_remote(scope, dataset, actor=SYSTEM)
    dataset.refresh_from_db()
    assert (dataset.remote_url, dataset.headers, dataset.sealed_remote_secret) == ("", {}, "")


def test_what_is_wrong_is_said_by_field(scope, dataset, receiver):
    with pytest.raises(Invalid) as problem:
        told(scope, dataset, url="", payload="{no", headers={"Host": "x"})
    assert set(issues(problem)) == {"url", "payload", "headers"}
    with pytest.raises(Invalid) as problem:
        told(scope, dataset, url="http://169.254.169.254/latest")
    assert set(issues(problem)) == {"url"}
    with pytest.raises(Conflict):
        actions.trigger(scope, dataset, "", actor=SYSTEM)
    told(scope, dataset, url=receiver.url("/ok"))
    with pytest.raises(Invalid) as problem:
        actions.trigger(scope, dataset, "{no", actor=SYSTEM)
    assert "line 1" in issues(problem)["payload"]
    assert receiver.got == []


def test_members_ask_and_admins_say_who_is_asked(scope, dataset, receiver):
    told(scope, dataset, url=receiver.url("/ok"))
    member, viewer = (
        ProjectScope(scope.project_id, role, user_id=scope.user_id) for role in (Role.MEMBER, Role.VIEWER)
    )
    assert actions.trigger(member, dataset, "", actor=SYSTEM).status == JobStatus.DONE
    with pytest.raises(Forbidden):
        actions.trigger(viewer, dataset, "", actor=SYSTEM)
    for act in (actions.remove_remote, actions.renew_secret):
        with pytest.raises(Forbidden):
            act(member, dataset, actor=SYSTEM)
    with pytest.raises(Forbidden):
        told(member, dataset, url=receiver.url("/ok"))


def test_the_message_says_what_was_typed(scope, dataset, receiver):
    told(scope, dataset, url=receiver.url("/ok"))
    actions.trigger(scope, dataset, "  ", actor=SYSTEM)
    assert orjson.loads(receiver.got[0].body)["payload"] is None
