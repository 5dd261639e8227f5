"""The form that starts an experiment, how far it is, and who may do what."""

from __future__ import annotations

import re

import orjson
import pytest
from django.urls import reverse
from django.utils import timezone

from config.sealing import seal
from evals.experiments import running
from evals.models import Dataset, DatasetItem, DatasetItemVersion, Evaluator, Experiment, ExperimentItem, RunStatus
from prompts.models import Prompt, PromptType, PromptVersion
from tests.factories import make_project
from tests.prompts.playground import connect
from tests.prompts.receiver_stub import ReceiverStub
from tracing.models.jobs import Job

pytestmark = pytest.mark.django_db
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def dataset(project, provider):
    connect(project, provider, custom_models=["hello", "echo"])
    made = Prompt.objects.create(project=project, name="films/critic", type=PromptType.TEXT)
    config = {"model": "echo", "provider": "stub", "temperature": 0.3}
    for number in (1, 2):
        PromptVersion.objects.create(
            prompt=made, number=number, content="Review {{movie}} v" + str(number), config=config if number == 2 else {}
        )
    found = Dataset.objects.create(project=project, name="films/新")
    for number in range(3):
        item = DatasetItem.objects.create(
            project=project, dataset=found, item_id=f"i{number}", created_at=timezone.now()
        )
        text = orjson.dumps({"movie": f"M{number}"}).decode()
        DatasetItemVersion.objects.create(item=item, dataset=found, input_text=text, valid_from=timezone.now())
    return found


def at(project, name):
    return reverse(f"evals:{name}", args=[project.pk])


def page(client, project, name="experiment-new", **query):
    answer = client.get(at(project, name), query)
    assert answer.status_code == 200, answer.content
    return answer.content.decode()


def send(client, project, view="experiment-start", **form):
    return client.post(at(project, view), form)


def filled(of, **changes):
    form = {
        "dataset": of.pk,
        "prompt": "films/critic",
        "version": "1",
        "name": "first",
        "connection": "stub",
        "model": "echo",
        "temperature": "0.5",
        "repetitions": "2",
    }
    return {**form, **changes}


def test_a_prompt_brings_its_settings_and_a_dataset_its_size(alice, project, dataset):
    empty = page(alice, project)
    assert 'id="run-form"' in empty
    assert "Choose…" in empty
    shown = page(alice, project, prompt="films/critic", dataset=dataset.pk, repetitions="4")
    assert re.search(r'<option value="2" selected>v2</option>', shown)
    assert re.search(r'<option value="stub" selected>', shown)
    assert re.search(r'id="model"[^>]* value="echo"', shown)
    assert re.search(r'id="set-temperature"[^>]* value="0.3"', shown)
    assert "<code>movie</code>" in shown
    assert ">12<" in shown
    assert re.search(r'id="name" name="name" value="films/critic v2 · ', shown)
    assert "v1" in page(alice, project, prompt="films/critic", version="1")
    parts = alice.get(
        at(project, "experiment-new"), {"dataset": dataset.pk}, headers={"HX-Request": "true", "HX-Target": "size"}
    )
    assert parts.content.decode().startswith('<div class="form-field" id="size"')


def test_variables_get_texts_and_paths(alice, project, dataset, provider):
    answer = send(alice, project, **filled(dataset, **{"value-movie": "$.movie", "repetitions": "1"}))
    assert answer.status_code == 303
    assert Experiment.objects.get().plan["values"] == {"movie": "$.movie"}
    shown = send(alice, project, **filled(dataset, **{"value-movie": "$.nothing", "name": "second"})).content.decode()
    assert "The variable movie has no value." in shown
    assert 'name="value-movie" value="$.nothing"' in shown


def test_what_is_typed_is_started_and_leads_to_its_page(alice, project, dataset):
    judge = Evaluator.objects.create(project=project, name="helpful")
    answer = send(alice, project, **filled(dataset, description="Why", evaluator=[judge.pk]))
    experiment = Experiment.objects.get()
    assert answer.status_code == 303
    assert answer["Location"] == f"{at(project, 'experiment-compare')}?baseline={experiment.experiment_id}"
    assert (experiment.name, experiment.description, experiment.items.count()) == ("first", "Why", 6)
    assert experiment.plan["parameters"] == {"temperature": "0.5"}
    assert (experiment.plan["repetitions"], experiment.plan["evaluators"]) == (2, [judge.pk])


def test_what_is_wrong_is_said_in_its_place_and_nothing_is_lost(alice, project, dataset):
    given = filled(dataset, name="", repetitions="99", model="", temperature="warm", dataset_version="soon")
    answer = send(alice, project, **given)
    shown = answer.content.decode()
    assert answer.status_code == 200
    assert 'id="dataset-version-error"' in shown
    shown = send(alice, project, **{**given, "dataset_version": ""}).content.decode()
    for place in ("repetitions-error",):
        assert f'id="{place}"' in shown
    assert re.search(r'id="set-temperature"[^>]* value="warm"', shown)
    fixed = {**given, "dataset_version": "", "name": "first", "repetitions": "1"}
    shown = send(alice, project, **fixed).content.decode()
    assert 'id="model-error"' in shown
    assert "This is a number" in shown
    assert not Experiment.objects.exists()
    shown = send(alice, project, **filled(dataset, dataset="")).content.decode()
    assert 'id="dataset-error"' in shown
    send(alice, project, **filled(dataset))
    assert 'id="name-error"' in send(alice, project, **filled(dataset)).content.decode()


@pytest.mark.parametrize("time", ["0001-01-01T00:00+14:00", "9999-12-31T23:59-14:00", "0001-01-01"])
def test_times_beyond_all_calendars_are_no_times(alice, project, dataset, time):
    assert ">3<" in page(alice, project, prompt="films/critic", dataset=dataset.pk, dataset_version=time)
    answer = send(alice, project, **filled(dataset, dataset_version=time))
    assert (answer.status_code, b'id="dataset-version-error"' in answer.content) == (200, True)
    assert not Experiment.objects.exists()


def test_evaluators_that_are_none_are_said_in_their_place(alice, project, dataset):
    shown = send(alice, project, **filled(dataset, evaluator=["gone"])).content.decode()
    assert "One of these evaluators is not there any more." in shown
    assert not Experiment.objects.exists()
    judge = Evaluator.objects.create(project=project, name="helpful")
    assert send(alice, project, **filled(dataset, evaluator=[f"\x00{judge.pk}"])).status_code == 303
    assert Experiment.objects.get().plan["evaluators"] == [judge.pk]


def test_how_far_it_is_and_what_went_wrong(alice, project, dataset):
    send(alice, project, **filled(dataset, repetitions="1"))
    experiment = Experiment.objects.get()
    running.work_on_next()
    rows = ExperimentItem.objects.filter(experiment=experiment, status=RunStatus.QUEUED)
    problem = orjson.dumps({"message": HOSTILE, "status": 500, "body": ""}).decode()
    rows.filter(item_id="i1").update(status=RunStatus.FAILED, problem=problem)
    shown = page(alice, project, "experiment-progress", experiment=experiment.experiment_id)
    assert 'value="2"' in shown
    assert 'hx-trigger="every 2s"' in shown
    assert "&lt;script&gt;alert(1)" in shown
    assert HOSTILE not in shown
    asked = {"experiment": experiment.experiment_id, "seen": "1.0"}
    moved = alice.get(at(project, "experiment-progress"), asked)
    assert moved["HX-Trigger"] == "runs-moved"
    seen = dict(re.findall(r"amp;(seen|at)=([0-9.]+)", moved.content.decode()))
    assert seen["seen"] == "2.0"
    assert "HX-Trigger" not in alice.get(at(project, "experiment-progress"), {**asked, **seen})
    # The trace of what was answered is stored: there is more to see, and it is told, but not at once again.
    ExperimentItem.objects.filter(experiment=experiment, status=RunStatus.DONE).update(ended_at=timezone.now())
    soon = alice.get(at(project, "experiment-progress"), {**asked, **seen})
    assert "HX-Trigger" not in soon
    assert dict(re.findall(r"amp;(seen|at)=([0-9.]+)", soon.content.decode())) == seen
    later = alice.get(at(project, "experiment-progress"), {**asked, **seen, "at": str(int(seen["at"]) - 10)})
    assert later["HX-Trigger"] == "runs-moved"
    assert "seen=2.1" in later.content.decode()
    send(alice, project, "experiment-stop", experiment=experiment.experiment_id)
    assert alice.get(at(project, "experiment-progress"), asked)["HX-Trigger"] == "runs-ended"
    stopped = page(alice, project, "experiment-progress", experiment=experiment.experiment_id)
    assert "Stopped after 1 of 3" in stopped
    assert "every 2s" not in stopped
    answer = send(alice, project, "experiment-rest", experiment=experiment.experiment_id)
    assert answer.status_code == 303
    assert ExperimentItem.objects.filter(status=RunStatus.QUEUED).count() == 2
    while running.work_on_next():
        pass
    ended = page(alice, project, "experiment-progress", experiment=experiment.experiment_id)
    assert "3 of 3 answered" in ended
    assert "every 2s" in ended
    ExperimentItem.objects.filter(experiment=experiment).update(ended_at=timezone.now())
    answer = alice.get(at(project, "experiment-progress"), {"experiment": experiment.experiment_id})
    assert answer["HX-Trigger"] == "runs-ended"
    assert "every 2s" not in answer.content.decode()
    assert at(project, "experiment-rest") not in ended


def test_the_program_that_runs_experiments(alice, project, dataset, settings):
    with ReceiverStub() as receiver:
        settings.OUTGOING_ALLOWED["webhook"] = [f"localhost:{receiver.port}"]
        form = {"dataset": dataset.pk, "url": receiver.url("/ok"), "payload": "{}", "headers": "X-Key: secret-value"}
        shown = send(alice, project, "experiment-remote-save", **form).content.decode()
        [secret] = re.findall(r"lf-whsec_[0-9a-f]{64}", shown)
        again = page(alice, project, "experiment-remote", dataset=dataset.pk)
        assert secret not in again
        assert "secret-value" not in again
        assert "X-Key" in again
        answer = send(alice, project, "experiment-ask", dataset=dataset.pk, payload='{"a": 1}')
        job = Job.objects.get()
        assert answer["Location"] == reverse("tracing:job-detail", args=[project.pk, job.pk])
        assert receiver.got[0].payload["payload"] == {"a": 1}
        broken = send(alice, project, "experiment-ask", dataset=dataset.pk, payload="{no").content.decode()
        assert 'id="ask-error"' in broken
        assert "{no" in broken
    wrong = send(alice, project, "experiment-remote-save", dataset=dataset.pk, url="http://10.0.0.1/").content.decode()
    assert 'id="url-error"' in wrong
    assert send(alice, project, "experiment-remote-save", dataset=dataset.pk, do="remove").status_code == 303
    dataset.refresh_from_db()
    assert dataset.remote_url == ""


def test_viewers_look_and_strangers_see_nothing(bob, charlie, project, dataset, alice):
    send(alice, project, **filled(dataset))
    experiment = Experiment.objects.get()
    assert "Stop" not in page(bob, project, "experiment-progress", experiment=experiment.experiment_id)
    assert bob.get(at(project, "experiment-new")).status_code == 403
    for name in ("experiment-start", "experiment-stop", "experiment-rest", "experiment-ask", "experiment-remote-save"):
        assert send(bob, project, name, **filled(dataset, experiment=experiment.experiment_id)).status_code == 403
        assert send(charlie, project, name, **filled(dataset)).status_code in (403, 404)
    for name in ("experiment-new", "experiment-progress", "experiment-remote"):
        assert charlie.get(at(project, name), {"dataset": dataset.pk}).status_code in (403, 404)
    assert Experiment.objects.count() == 1


def test_another_projects_rows_are_not_there(alice, project, dataset, workspace):
    other = make_project("Other", organization=workspace.organization)
    theirs = Dataset.objects.create(
        project=other, name="theirs", remote_url="http://localhost:1/", sealed_remote_secret=seal("x")
    )
    experiment = Experiment.objects.create(
        project=other, experiment_id="e" * 16, name="theirs", plan_text='{"prompt": "x"}', created_at=timezone.now()
    )
    assert "theirs" not in page(alice, project)
    assert "theirs" not in send(alice, project, **filled(dataset, dataset=theirs.pk)).content.decode()
    assert alice.get(at(project, "experiment-remote"), {"dataset": theirs.pk}).status_code == 404
    assert send(alice, project, "experiment-ask", dataset=theirs.pk).status_code == 404
    for name in ("experiment-stop", "experiment-rest"):
        assert send(alice, project, name, experiment=experiment.experiment_id).status_code == 404
    assert alice.get(at(project, "experiment-progress"), {"experiment": experiment.experiment_id}).status_code == 404
    assert not Experiment.objects.filter(project=project).exists()
