"""Experiments that this server runs: a prompt on the items of a dataset, each once, traced where it belongs."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.access import ProjectScope
from accounts.audit import SYSTEM
from accounts.models import AuditLog
from accounts.roles import Role
from config.crew import Crew, patiently
from config.errors import Conflict, Forbidden, Invalid, Unavailable
from evals import arrivals
from evals.actions import experiment_runs
from evals.actions.experiment_runs import run_rest, start_experiment, stop_experiment
from evals.actions.experiments import RunOfItem, delete_experiment, note_runs
from evals.experiments import running
from evals.experiments.plan import Plan
from evals.experiments.spans import ENVIRONMENT
from evals.models import (
    Dataset,
    DatasetItem,
    DatasetItemVersion,
    Evaluator,
    Experiment,
    ExperimentItem,
    ItemStatus,
    Judgement,
    RunStatus,
)
from evals.models.experiments import experiment_id_of
from prompts.models import Prompt, PromptType, PromptVersion
from tests.factories import make_user
from tests.prompts import provider_stub
from tests.prompts.playground import connect
from tests.prompts.provider_stub import ERROR, HELLO, KEY
from tests.tracing.conftest import own_inbox  # noqa: F401 - a fixture
from tests.tracing.sender import Sender
from tracing.ingest import drain

# Ingestion asks by connections of its own, which do not see what a test has not committed.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("broker")]


@pytest.fixture
def sender(transactional_db, analytics_server, own_inbox):  # noqa: F811
    return Sender()


@pytest.fixture
def alice(sender):
    return make_user("alice@example.com", organization=sender.project.organization)


@pytest.fixture
def scope(sender, alice):
    return ProjectScope(sender.project.pk, Role.MEMBER, user_id=alice.pk)


@pytest.fixture
def dataset(sender, provider):
    connect(sender.project, provider, custom_models=["hello", "echo"])
    prompt(sender.project, "critic", [{"role": "user", "content": "Review {{movie}} for {{reader}}."}])
    found = Dataset.objects.create(project=sender.project, name="films/新")
    item(found, "one", {"movie": "Alien", "reader": "children"}, expected="No.")
    item(found, "two", {"movie": "盗梦空间", "reader": "experts"}, expected={"verdict": "yes"})
    return found


def prompt(project, name, said, kind=PromptType.CHAT):
    made = Prompt.objects.create(project=project, name=name, type=kind)
    return PromptVersion.objects.create(
        prompt=made, number=1, content=said if isinstance(said, str) else orjson.dumps(said).decode()
    )


def item(dataset, item_id, given, *, expected=None, at=None, status=ItemStatus.ACTIVE, until=None):
    at = at or timezone.now()
    row, _new = DatasetItem.objects.get_or_create(
        project_id=dataset.project_id, item_id=item_id, defaults={"dataset": dataset, "created_at": at}
    )
    return DatasetItemVersion.objects.create(
        item=row,
        dataset=dataset,
        input_text=orjson.dumps(given).decode(),
        expected_output_text=orjson.dumps(expected).decode() if expected is not None else "",
        status=status,
        valid_from=at,
        valid_to=until,
    )


def plan(**changes):
    return Plan(**{"prompt": "critic", "version": 1, "connection": "stub", "model": "echo", **changes})


def start(scope, dataset, name="first", **changes):
    return start_experiment(scope, dataset, name, plan(**changes), actor=SYSTEM)


def work():
    while running.work_on_next():
        pass


def rows(experiment):
    return list(ExperimentItem.objects.filter(experiment=experiment).order_by("item_id", "repetition"))


def due_now(experiment):
    ExperimentItem.objects.filter(experiment=experiment).update(due_at=timezone.now())


# --- What it does ----------------------------------------------------------------------------------------
def test_each_item_is_asked_once_and_traced_as_part_of_the_experiment(scope, dataset, sender):
    experiment = start(scope, dataset, parameters={"temperature": "0.5"})
    assert experiment.experiment_id == experiment_id_of(scope.project_id, dataset.pk, "first")
    assert experiment.status == RunStatus.QUEUED
    work()
    experiment.refresh_from_db()
    assert experiment.status == RunStatus.DONE
    assert [(one.item_id, one.status, one.problem) for one in rows(experiment)] == [
        ("one", "done", ""),
        ("two", "done", ""),
    ]

    drain.drain()
    spans = {(one.trace_id, one.id): one for one in sender.observations()}
    assert len(spans) == 4
    for row, given, expected in zip(
        rows(experiment),
        ({"movie": "Alien", "reader": "children"}, {"movie": "盗梦空间", "reader": "experts"}),
        ("No.", {"verdict": "yes"}),
        strict=True,
    ):
        root = spans[row.trace_id, row.observation_id]
        [call] = [one for one in spans.values() if one.parent_id == root.id and one.trace_id == row.trace_id]
        assert (root.name, root.environment, root.is_root) == ("experiment-item-run", ENVIRONMENT, True)
        assert orjson.loads(root.input) == given
        asked = orjson.loads(call.output)["messages"]
        assert asked == [{"role": "user", "content": f"Review {given['movie']} for {given['reader']}."}]
        assert root.output == call.output
        assert (call.type, call.prompt_name, call.prompt_version) == ("GENERATION", "critic", 1)
        assert orjson.loads(call.model_parameters) == {"temperature": 0.5}
        assert call.total_tokens > 0
        for span in (root, call):
            assert span.experiment_id == experiment.experiment_id
            assert (span.experiment_name, span.experiment_dataset_id) == ("first", dataset.pk)
            assert (span.experiment_item_id, span.experiment_item_root_id) == (row.item_id, row.observation_id)
            assert orjson.loads(span.experiment_item_expected_output) == expected
            assert span.experiment_item_version == row.item_version
            assert span.experiment_metadata["prompt"] == "critic"
    entry = AuditLog.objects.get(action="experiment.start")
    assert KEY not in str(entry.after)


def test_repetitions_are_runs_of_their_own(scope, dataset, provider):
    experiment = start(scope, dataset, repetitions=3, model="hello")
    work()
    found = rows(experiment)
    assert [(one.item_id, one.repetition) for one in found] == [(name, n) for name in ("one", "two") for n in (1, 2, 3)]
    assert len({one.trace_id for one in found}) == len({one.run_item_id for one in found}) == 6
    assert len(provider.requests) == 6


@pytest.mark.parametrize(
    ("said", "given", "asked"),
    [
        ("Say {{word}}", "Grüße", [{"role": "user", "content": "Say Grüße"}]),
        ("Say {{word}}", {"word": {"deep": [1]}}, [{"role": "user", "content": 'Say {"deep":[1]}'}]),
        (
            [{"type": "placeholder", "name": "history"}, {"role": "user", "content": "And?"}],
            {"history": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "你好"}]},
            [
                {"role": "user", "content": "hi"},
                {"role": "assistant", "content": "你好"},
                {"role": "user", "content": "And?"},
            ],
        ),
        (
            [{"type": "placeholder", "name": "all"}],
            [{"role": "user", "content": "alone"}],
            [{"role": "user", "content": "alone"}],
        ),
    ],
)
def test_inputs_fill_variables_and_placeholders(scope, dataset, sender, provider, said, given, asked):
    prompt(sender.project, "other", said, PromptType.TEXT if isinstance(said, str) else PromptType.CHAT)
    other = Dataset.objects.create(project=sender.project, name="other")
    item(other, "only", given)
    start(scope, other, prompt="other")
    work()
    assert provider.last.body["messages"] == asked


def test_values_of_variables_are_texts_or_paths_into_the_input(scope, sender, provider, dataset):
    other = Dataset.objects.create(project=sender.project, name="other")
    item(other, "only", {"film": {"title": "Alien"}, "reader": "nobody"})
    start(scope, other, values={"movie": "$.film.title", "reader": "children"})
    work()
    assert provider.last.body["messages"][0]["content"] == "Review Alien for children."
    with pytest.raises(Invalid) as problem:
        start(scope, other, "second", values={"movie": "$.film["})
    assert [issue["path"] for issue in problem.value.issues] == [["variables"]]
    with pytest.raises(Invalid) as problem:
        start(scope, other, "second", values={"movie": "$.nothing"})
    assert problem.value.issues[0]["message"] == "The variable movie has no value."


def test_a_version_of_the_dataset_is_what_it_was_then(scope, dataset, provider):
    long_ago, later = (datetime.now(UTC) - timedelta(days=days) for days in (3, 1))
    item(dataset, "old", {"movie": "M", "reader": "then"}, at=long_ago, until=later)
    item(dataset, "old", {"movie": "M", "reader": "later"}, at=later)
    item(dataset, "gone", {"movie": "G", "reader": "x"}, at=long_ago, status=ItemStatus.ARCHIVED)
    then = (long_ago + timedelta(hours=1)).isoformat()
    experiment = start(scope, dataset, dataset_version=then)
    work()
    assert [one.item_id for one in rows(experiment)] == ["old"]
    assert provider.last.body["messages"][0]["content"] == "Review M for then."


# --- What is refused -------------------------------------------------------------------------------------
def refusal(scope, dataset, name="first", **changes):
    with pytest.raises(Invalid) as problem:
        start(scope, dataset, name, **changes)
    assert not Experiment.objects.exists()
    assert not ExperimentItem.objects.exists()
    return {issue["path"][0]: issue["message"] for issue in problem.value.issues}


def test_what_cannot_run_is_refused_by_field(scope, dataset):
    assert set(refusal(scope, dataset, "", version=9, repetitions=0, evaluators=["none"])) == {
        "name",
        "prompt",
        "repetitions",
        "evaluators",
    }
    assert "no connection other" in refusal(scope, dataset, connection="other")["connection"]
    assert "number" in refusal(scope, dataset, parameters={"temperature": "warm"})["parameters"]
    assert set(refusal(scope, dataset, model="")) == {"model"}
    empty = Dataset.objects.create(project_id=dataset.project_id, name="empty")
    assert "no active items" in refusal(scope, empty)["dataset"]


def test_a_variable_that_no_item_has_is_said_before_anything_is_asked(scope, dataset, sender, provider):
    prompt(sender.project, "asks", "Say {{nothing}}", PromptType.TEXT)
    assert "nothing" in refusal(scope, dataset, prompt="asks")["variables"]
    assert provider.requests == []


def test_an_item_that_lacks_a_variable_says_so_and_the_others_run(scope, dataset, sender):
    item(dataset, "poor", {"movie": "Solaris"})
    experiment = start(scope, dataset)
    work()
    drain.drain()
    poor = rows(experiment)[1]
    assert (poor.status, orjson.loads(poor.problem)["message"]) == ("failed", "The variable reader has no value.")
    assert [one.status for one in rows(experiment)] == ["done", "failed", "done"]
    [span] = [one for one in sender.observations() if one.trace_id == poor.trace_id]
    assert (span.level, span.status_message) == ("ERROR", "The variable reader has no value.")


def test_texts_are_read_of_the_items_that_are_tried(scope, dataset, monkeypatch):
    monkeypatch.setattr(experiment_runs, "MOST_RUNS", 3)
    with CaptureQueriesContext(connection) as asked:
        assert "These are 4 runs, and 3 is the most." in refusal(scope, dataset, repetitions=2)["repetitions"]
    assert not [one["sql"] for one in asked if "input_text" in one["sql"]]
    monkeypatch.setattr(experiment_runs, "_TRIED_ITEMS", 1)
    with CaptureQueriesContext(connection) as asked:
        assert len(rows(start(scope, dataset))) == 2
    assert ["LIMIT 1" in one["sql"] for one in asked if "input_text" in one["sql"]] == [True]


def test_a_name_is_used_once(scope, dataset):
    start(scope, dataset)
    with pytest.raises(Conflict):
        start(scope, dataset)
    assert ExperimentItem.objects.count() == 2


def test_viewers_start_nothing_and_foreign_datasets_are_not_there(scope, dataset):
    viewer = ProjectScope(scope.project_id, Role.VIEWER, user_id=scope.user_id)
    for act in (
        lambda: start(viewer, dataset),
        lambda: stop_experiment(viewer, Experiment(), actor=SYSTEM),
        lambda: run_rest(viewer, Experiment(), actor=SYSTEM),
    ):
        with pytest.raises(Forbidden):
            act()
    assert not Experiment.objects.exists()


# --- What goes wrong -------------------------------------------------------------------------------------
def test_what_may_pass_is_tried_again_later(scope, dataset, sender, provider):
    experiment = start(scope, dataset, model="429")
    before = timezone.now()
    work()
    waiting = rows(experiment)
    assert {one.status for one in waiting} == {"queued"}
    assert all(one.due_at >= before + timedelta(seconds=7) for one in waiting)  # as the provider asked
    assert "429" in str(orjson.loads(waiting[0].problem)["status"])
    for _attempt in range(3):
        due_now(experiment)
        work()
    assert {(one.status, one.attempts) for one in rows(experiment)} == {("failed", 4)}
    experiment.refresh_from_db()
    assert experiment.status == RunStatus.DONE
    problem = orjson.loads(rows(experiment)[0].problem)
    assert (problem["status"], ERROR in problem["body"]) == (429, True)
    assert len(provider.requests) == 8
    drain.drain()
    assert {one.level for one in sender.observations()} == {"ERROR"}


def test_what_will_not_pass_fails_at_once_and_can_be_run_again(scope, dataset, provider, sender):
    experiment = start(scope, dataset, model="401")
    work()
    assert {(one.status, one.attempts) for one in rows(experiment)} == {("failed", 1)}
    broken = Plan.of(Experiment.objects.get().plan)
    assert broken.model == "401"
    Experiment.objects.update(plan_text=plan(model="hello").as_text())
    assert run_rest(scope, experiment, actor=SYSTEM) == 2
    work()
    assert {one.status for one in rows(experiment)} == {"done"}
    drain.drain()
    roots = [one for one in sender.observations() if one.parent_id == ""]
    assert [(one.level, one.output) for one in roots] == [("DEFAULT", HELLO)] * 2
    assert run_rest(scope, experiment, actor=SYSTEM) == 0


def test_stopping_leaves_what_is_done(scope, dataset, provider):
    experiment = start(scope, dataset)
    running.work_on_next()
    stop_experiment(scope, experiment, actor=SYSTEM)
    work()
    assert sorted(one.status for one in rows(experiment)) == ["done", "stopped"]
    assert len(provider.requests) == 1
    experiment.refresh_from_db()
    assert experiment.status == RunStatus.STOPPED


def test_a_call_that_runs_is_broken_off(scope, dataset, provider):
    experiment = start(scope, dataset, model="silent")
    asked = threading.Thread(target=running.work_on_next)
    asked.start()
    assert provider.was_asked.wait(30)
    stop_experiment(scope, experiment, actor=SYSTEM)
    assert provider.was_left.wait(30)
    asked.join(30)
    assert {one.status for one in rows(experiment)} == {"stopped"}


def test_a_worker_that_ends_gives_its_items_back(scope, dataset, provider, monkeypatch):
    experiment = start(scope, dataset, model="silent")
    ending = Crew("ending", lambda: 1, running.work_on_next)
    monkeypatch.setattr(running, "crew", ending)
    threading.Timer(0.3, ending.stop).start()
    running.work_on_next()
    assert {one.status for one in rows(experiment)} == {"queued"}


def test_items_of_a_killed_worker_are_run_again_under_the_same_ids(scope, dataset, sender):
    experiment = start(scope, dataset, model="hello")
    gone = "elsewhere:1:aaaa:bbbb"
    ExperimentItem.objects.filter(experiment=experiment, item_id="one").update(
        status=RunStatus.RUNNING, runner=gone, heartbeat_at=timezone.now() - timedelta(minutes=5), attempts=1
    )
    before = {one.item_id: one.trace_id for one in rows(experiment)}
    running.sweep()
    work()
    assert {one.item_id: (one.status, one.trace_id) for one in rows(experiment)} == {
        name: ("done", trace_id) for name, trace_id in before.items()
    }


def test_an_item_that_was_stopped_while_its_worker_was_killed_is_stopped(scope, dataset, provider):
    experiment = start(scope, dataset)
    ExperimentItem.objects.filter(experiment=experiment, item_id="one").update(
        status=RunStatus.RUNNING, runner="elsewhere:1:aaaa:bbbb", heartbeat_at=timezone.now() - timedelta(minutes=5)
    )
    stop_experiment(scope, experiment, actor=SYSTEM)
    running.sweep()
    assert {one.status for one in rows(experiment)} == {"stopped"}
    assert run_rest(scope, experiment, actor=SYSTEM) == 2


def test_what_ends_its_worker_every_time_is_given_up(scope, dataset, provider):
    experiment = start(scope, dataset)
    ExperimentItem.objects.filter(experiment=experiment, item_id="one").update(attempts=6)
    work()
    assert [one.status for one in rows(experiment)] == ["failed", "done"]
    assert len(provider.requests) == 1


def test_whoever_started_it_may_not_run_it_any_more(scope, dataset, alice, provider):
    experiment = start(scope, dataset)
    alice.memberships.all().delete()
    work()
    assert {one.status for one in rows(experiment)} == {"failed"}
    assert provider.requests == []


def test_what_is_run_again_takes_the_place_of_what_failed(scope, dataset, sender):
    experiment = start(scope, dataset, model="401")
    work()
    told()
    failed = rows(experiment)
    assert {one.level for one in failed} == {"ERROR"}
    Experiment.objects.update(plan_text=plan(model="hello").as_text())
    run_rest(scope, experiment, actor=SYSTEM)
    work()
    told()
    for before, after in zip(failed, rows(experiment), strict=True):
        assert after.level == "DEFAULT"
        assert before.ended_at < after.started_at <= after.ended_at
    # What is told late of the first attempt changes nothing.
    for row, after in zip(failed, rows(experiment), strict=True):
        late = RunOfItem(
            item_id=row.item_id,
            trace_id=row.trace_id,
            observation_id=row.observation_id,
            started_at=row.started_at,
            ended_at=row.ended_at,
            level=row.level,
        )
        [noted] = note_runs(scope, experiment.experiment_id, [late], name="first", at=row.started_at)
        assert (noted.level, noted.started_at, noted.ended_at) == (after.level, after.started_at, after.ended_at)


def told():
    drain.drain()
    arrivals.work()


def test_an_answer_that_cannot_be_kept_now_is_kept_later_and_not_asked_for_again(
    scope, dataset, sender, provider, monkeypatch
):
    hand_in, away = running.spans.hand_in, [Unavailable("The inbox is full."), OperationalError("gone")] * 4

    def later(*args):
        if away:
            raise away.pop()
        hand_in(*args)

    monkeypatch.setattr(running.spans, "hand_in", later)
    monkeypatch.setattr(running, "_PAUSE_SECONDS", 0)
    experiment = start(scope, dataset, model="hello")
    work()
    assert {(one.status, one.attempts) for one in rows(experiment)} == {("done", 1)}
    assert len(provider.requests) == 2
    drain.drain()
    assert [one.output for one in sender.observations()] == [HELLO] * 4


def test_what_waits_to_be_kept_can_be_stopped(scope, dataset, provider, monkeypatch):
    experiment = start(scope, dataset, model="hello")

    def never(*_args):
        stop_experiment(scope, experiment, actor=SYSTEM)
        raise Unavailable("The inbox is full.")

    monkeypatch.setattr(running.spans, "hand_in", never)
    monkeypatch.setattr(running, "_PAUSE_SECONDS", 0)
    work()
    assert {one.status for one in rows(experiment)} == {"stopped"}
    assert len(provider.requests) == 1


def test_a_database_that_is_away_for_a_moment_fails_nothing(scope, dataset, provider, monkeypatch):
    experiment = start(scope, dataset, model="hello")

    def away(*_args, **_fields):
        raise OperationalError("gone")

    with monkeypatch.context() as broken:
        broken.setattr(running, "get_version", away)
        work()
    assert {(one.status, one.problem) for one in rows(experiment)} == {("queued", "")}
    due_now(experiment)
    work()
    assert {one.status for one in rows(experiment)} == {"done"}


def test_however_long_a_provider_wants_to_be_left_alone_it_is_asked_again(scope, dataset, provider, monkeypatch):
    monkeypatch.setattr(provider_stub, "RETRY_AFTER", 99_999_999_999_999)
    experiment = start(scope, dataset, model="429")
    before = timezone.now()
    work()
    for row in rows(experiment):
        assert row.status == "queued"
        assert before + timedelta(hours=1) <= row.due_at <= timezone.now() + timedelta(hours=1)


class Once:
    """Does something right after the first query that reads this table."""

    def __init__(self, table, act):
        self.table, self.act = table, act

    def __call__(self, execute, sql, params, many, context):
        result = execute(sql, params, many, context)
        if self.act and sql.startswith("SELECT") and f'FROM "{self.table}"' in sql:
            act, self.act = self.act, None
            act()
        return result


def test_what_is_queued_again_while_an_experiment_ends_is_run(scope, dataset, provider):
    experiment = start(scope, dataset, model="401")
    work()
    Experiment.objects.update(status=RunStatus.RUNNING, plan_text=plan(model="hello").as_text())
    again = Once("evals_experimentitem", lambda: run_rest(scope, experiment, actor=SYSTEM))
    with connection.execute_wrapper(again):
        running.settle(experiment.pk)
    assert again.act is None
    work()
    assert {one.status for one in rows(experiment)} == {"done"}
    experiment.refresh_from_db()
    assert experiment.status == RunStatus.DONE


def test_what_is_stopped_while_an_item_is_given_back_does_not_wait(scope, dataset, provider):
    experiment = start(scope, dataset)
    ExperimentItem.objects.filter(experiment=experiment, item_id="one").update(
        status=RunStatus.RUNNING, runner="elsewhere:1:aaaa:bbbb", heartbeat_at=timezone.now() - timedelta(minutes=5)
    )

    def stop():
        try:
            patiently(lambda: stop_experiment(scope, experiment, actor=SYSTEM))
        finally:
            connection.close()

    stopping = threading.Thread(target=stop)

    def meanwhile():
        stopping.start()
        stopping.join(1)  # it may have to wait for us

    def before_its_change(execute, sql, *about):
        if sql.startswith('UPDATE "evals_experimentitem"') and stopping.ident is None:
            meanwhile()
        return execute(sql, *about)

    with connection.execute_wrapper(before_its_change):
        patiently(running.sweep)  # tables in memory are locked rather than waited for
    stopping.join()
    assert {one.status for one in rows(experiment)} == {"stopped"}


def test_a_deleted_experiment_does_not_come_back_with_what_ran_meanwhile(scope, dataset, sender):
    experiment = start(scope, dataset)
    work()
    delete_experiment(scope, experiment, actor=SYSTEM)
    told()
    assert len(sender.observations()) == 4
    assert not Experiment.objects.exists()
    start(scope, dataset)  # its name is free


# --- Judged ----------------------------------------------------------------------------------------------
def test_answers_are_judged_by_the_chosen_evaluators_once(scope, dataset, sender):
    judge, other = (Evaluator.objects.create(project=sender.project, name=name) for name in ("helpful", "other"))
    item(dataset, "poor", {"movie": "Solaris"})
    experiment = start(scope, dataset, evaluators=[judge.pk])
    work()
    drain.drain()
    for _time in range(2):
        arrivals.work()
        drain.drain()
    found = Judgement.objects.order_by("trace_id")
    answered = {(one.trace_id, one.observation_id) for one in rows(experiment) if one.status == RunStatus.DONE}
    assert {(one.trace_id, one.observation_id) for one in found} == answered
    assert {(one.evaluator_id, one.experiment_id, one.origin) for one in found} == {
        (judge.pk, experiment.pk, "experiment")
    }
    assert len(found) == 2
    assert not other.judgements.exists()
    started = [one for one in rows(experiment) if one.started_at]
    assert len(started) == 3  # what ingestion told of the items is in the rows that were there
