"""Which targets a rule judges: of what arrives, of what is quiet by now, at set times, and of what is stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import orjson
import pytest
from django.db.models import QuerySet
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from accounts.audit import SYSTEM
from accounts.models import AuditLog
from config.errors import Invalid, TooExpensive, Unavailable
from evals import arrivals
from evals.actions.rules import (
    RuleFields,
    Schedule,
    create_rule,
    delete_rule,
    run_due_schedules,
    start_backfill,
    update_rule,
)
from evals.actions.selected import judge_selection
from evals.judging import matching, schedules
from evals.judging.targets import Target, load, recent
from evals.models import Arrival, Candidate, Judgement, Rule
from evals.queries.rules import count_matches, estimate, filter_columns, get_rule, list_rules
from evals.tasks import run_scheduled_rule
from tests.evals.judging import MAPPING, Judging, judge  # noqa: F401 - a fixture
from tests.evals.test_judging_work import price
from tests.tracing.conftest import own_inbox  # noqa: F401 - a fixture
from tests.tracing.sender import Sender
from tracing.actions.jobs import run_job
from tracing.models.jobs import Job, JobStatus
from tracing.queries.explorer.nouns import Noun
from tracing.queries.selection import RowId, Selection

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("broker")]

NAMED = [{"type": "string", "column": "name", "operator": "=", "value": "answer"}]
CHAT = [{"type": "string", "column": "name", "operator": "=", "value": "chat"}]
CONVERSATION = [{"variable": "question", "source": "conversation"}, {"variable": "answer", "source": "output"}]


@pytest.fixture(autouse=True)
def no_rule_is_dear():
    yield
    matching._fewer.clear()


@pytest.fixture
def judging(transactional_db, analytics_server, own_inbox, judge):  # noqa: F811
    return Judging(Sender(), judge)


def finished(job):
    for _turn in range(20):
        run_job(job)
        job.refresh_from_db()
        if not job.is_unfinished:
            break
    assert job.status == JobStatus.DONE, job.message
    return job


def test_a_rule_judges_what_its_filter_matches_and_nothing_else(judging):
    judging.rule(filter=NAMED)
    judging.rule(judging.evaluator("off"), is_enabled=False, name="off")
    judging.send(1)
    judging.send(1, ids="u", metadata={"kind": "x"})
    judging.send(1, ids="own", environment="langfuse-llm-as-a-judge")
    judging.work()
    # What clients send cannot be in an environment of the server itself.
    assert sorted(one.trace_id for one in judging.scores()) == ["own0", "t0", "u0"]
    update_rule(judging.scope, Rule.objects.get(name="all").pk, {"filter": CHAT}, actor=SYSTEM)
    judging.send(1, ids="v")
    judging.work()
    assert len(judging.scores()) == 3


def test_sampling_is_a_share_that_is_the_same_every_time(judging):
    targets = [Target("observation", f"t{number}", "g") for number in range(2_000)]
    half = {one for one in targets if matching.is_sampled("rule", one, 0.5)}
    tenth = {one for one in targets if matching.is_sampled("rule", one, 0.1)}
    assert 900 < len(half) < 1_100
    assert tenth < half
    assert {one for one in targets if matching.is_sampled("other", one, 0.5)} != half
    rule = judging.rule(sampling=0.5)
    judging.send(20)
    judging.work()
    expected = {
        f"t{n}" for n in range(20) if matching.is_sampled(rule.pk, Target("observation", f"t{n}", f"t{n}-g"), 0.5)
    }
    assert {one.trace_id for one in judging.scores()} == expected


def test_a_trace_is_judged_once_it_is_quiet_and_still_matches(judging):
    judging.rule(target="trace", filter=CHAT, delay_seconds=30)
    judging.send(2)
    judging.work()
    assert not judging.judgements()
    first = dict(Candidate.objects.values_list("trace_id", "due_at"))
    judging.send(1)
    arrivals.work()
    later = dict(Candidate.objects.values_list("trace_id", "due_at"))
    assert later["t0"] > first["t0"]
    assert later["t1"] == first["t1"]
    stamp = datetime.now(UTC).isoformat()
    body = {"id": "t1", "name": "renamed", "timestamp": stamp}
    judging.sender.post("/api/public/ingestion", {"batch": [judging._event("trace-create", "x", stamp, body)]})
    from tracing.ingest import drain

    drain.drain()
    judging.quiet()
    assert [(one.trace_id, one.observation_id) for one in judging.scores()] == [("t0", "")]
    assert not Candidate.objects.exists()
    document = load(judging.scope, Target("trace", "t0")).document
    [step] = document["trace"]["steps"]
    assert (step["name"], step["input"], step["depth"]) == ("answer", {"question": "What is 0?"}, 0)


def test_a_session_is_judged_as_a_whole_once_it_is_idle(judging):
    rule = judging.rule(judging.evaluator(mapping=CONVERSATION), target="session")
    assert rule.delay_seconds == 1800
    judging.send(3, sessionId="s1")
    judging.work()
    assert Candidate.objects.count() == 1
    judging.quiet()
    [score] = judging.scores()
    assert (score.session_id, score.trace_id) == ("s1", "")
    turns = load(judging.scope, Target("session", session_id="s1")).document["conversation"]["turns"]
    assert [turn["user"] for turn in turns] == [{"question": f"What is {n}?"} for n in range(3)]
    assert "What is 2?" in judging.stub.requests[0]["messages"][1]["content"]


def test_an_observation_that_goes_on_waits_for_its_output(judging):
    judging.rule()
    judging.send(1, ended=False)
    judging.work()
    assert not judging.judgements()
    assert Candidate.objects.count() == 1
    judging.send(1)
    judging.work()
    assert len(judging.scores()) == 1
    assert not Candidate.objects.exists()


def test_what_fails_for_want_of_what_arrives_later_is_judged_then(judging):
    judging.rule(judging.evaluator("step"), name="step")
    judging.rule(judging.evaluator("whole"), name="whole", target="trace")
    judging.send(1, ended=False, output=None)
    arrivals.work()
    open_ = Candidate.objects.get(target="observation")
    assert open_.due_at > timezone.now() + timedelta(minutes=5)
    judging.quiet()
    assert [one.status for one in judging.judgements()] == ["failed", "failed"]
    judging.send(1)
    judging.work()
    judging.quiet()
    assert sorted(one.name for one in judging.scores()) == ["step", "whole"]
    judging.stub.script = [400] * 4
    judging.send(1, ids="asked")
    judging.work()
    asked = len(judging.stub.requests)
    judging.send(1, ids="asked")
    judging.work()
    assert len(judging.stub.requests) == asked
    assert [one.status for one in judging.judgements(trace_id="asked0")] == ["failed"]


def too_expensive(*_args, **_kwargs):
    raise TooExpensive("The query took too long.")


def test_a_filter_that_costs_too_much_keeps_nothing_from_the_others_and_is_asked_about_fewer(judging, monkeypatch):
    dear, cheap = judging.rule(judging.evaluator("dear"), name="dear"), judging.rule(judging.evaluator("cheap"))
    matching_ = matching._matching
    asked = []

    def of_two(scope, active, keys):
        if active.rule.pk == dear.pk:
            asked.append(len(keys))
            if len(keys) > 2:
                too_expensive()
        return matching_(scope, active, keys)

    monkeypatch.setattr(matching, "_matching", of_two)
    judging.send(5)
    judging.work()
    assert {one.rule_id for one in judging.judgements()} == {cheap.pk}
    assert len(judging.scores()) == 5
    for _turn in range(3):
        judging.quiet()
    assert asked[:3] == [5, 2, 3]
    assert len(judging.judgements(rule=dear)) == 5
    assert not Candidate.objects.exists()
    judging.send(1, ids="later")
    judging.work()
    judging.quiet()
    assert len(judging.judgements(rule=dear)) == 6


def test_what_cannot_be_asked_at_all_waits_behind_the_others(judging, monkeypatch):
    judging.rule()
    monkeypatch.setattr(matching, "_matching", too_expensive)
    judging.send(3)
    judging.work()
    Candidate.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    matching.settle_candidates()
    assert all(one.due_at > timezone.now() for one in Candidate.objects.all())
    assert Candidate.objects.count() == 2  # one that cannot be asked about alone is let go
    assert not judging.judgements()


def test_an_evaluator_that_is_deleted_meanwhile_takes_no_judgement_with_it(judging, monkeypatch):
    first, second = judging.evaluator("first"), judging.evaluator("second")
    judging.rule(first, second)
    matching_ = matching._matching

    def deleted_meanwhile(*args):
        second.__class__.objects.filter(pk=second.pk).delete()
        return matching_(*args)

    monkeypatch.setattr(matching, "_matching", deleted_meanwhile)
    judging.send(1)
    judging.work()
    assert [one.name for one in judging.scores()] == ["first"]


def test_ids_that_are_too_long_to_keep_are_left_out_and_the_rest_is_judged(judging, caplog):
    judging.rule()
    judging.rule(judging.evaluator("whole"), name="whole", target="trace")
    judging.send(1, ids="x" * 300)
    judging.send(1)
    judging.work()
    judging.quiet()
    assert {one.trace_id for one in judging.judgements()} == {"t0"}
    assert len(judging.scores()) == 2
    assert "more than 255 characters" in caplog.text
    selected = Selection(Noun.TRACES, (RowId("x" * 300 + "0", ""), RowId("t0", "")))
    job = finished(judge_selection(judging.scope, selected, [judging.evaluator("hand").pk], actor=SYSTEM))
    assert job.result == {"counts": {"judgements": 1}}


def test_what_one_process_tells_of_another_leaves_alone_and_takes_what_was_left(judging):
    judging.rule()
    judging.send(1)
    judging.send(1, ids="u")
    Arrival.objects.filter(pk=Arrival.objects.earliest("pk").pk).update(taken_at=timezone.now())
    arrivals.work()
    assert [one.trace_id for one in judging.judgements()] == ["u0"]
    Arrival.objects.update(taken_at=timezone.now() - timedelta(minutes=5))  # its process was killed
    arrivals.work()
    assert [one.trace_id for one in judging.judgements()] == ["t0", "u0"]
    assert not Arrival.objects.exists()


def test_an_arrival_that_cannot_be_told_of_is_free_at_once(judging, monkeypatch):
    judging.rule()
    judging.send(1)

    def away(*_args):
        raise Unavailable("The store is away.")

    with monkeypatch.context() as patched:
        patched.setattr(matching, "_matching", away)
        with pytest.raises(Unavailable):
            arrivals.work()
    arrivals.work()
    assert len(judging.judgements()) == 1


def test_a_change_of_a_rule_keeps_what_somebody_else_changed_just_before(judging, monkeypatch):
    rule = judging.rule()
    lock = QuerySet.select_for_update

    def after_another(rows, *args, **kwargs):
        if rows.model is Rule:
            Rule.objects.filter(pk=rule.pk).update(is_enabled=False)
        return lock(rows, *args, **kwargs)

    monkeypatch.setattr(QuerySet, "select_for_update", after_another)
    changed = update_rule(judging.scope, rule.pk, {"name": "renamed"}, actor=SYSTEM)
    assert (changed.name, changed.is_enabled) == ("renamed", False)


def test_a_rule_that_is_off_lets_go_of_what_waits(judging):
    rule = judging.rule(delay_seconds=600)
    judging.send(2)
    judging.work()
    assert [one.status for one in judging.judgements()] == ["waiting"] * 2
    update_rule(judging.scope, rule.pk, {"is_enabled": False}, actor=SYSTEM)
    assert {(one.status, one.problem) for one in judging.judgements()} == {("cancelled", "The rule was switched off.")}
    delete_rule(judging.scope, rule.pk, actor=SYSTEM)
    assert [one.rule_id for one in judging.judgements()] == [None, None]
    assert AuditLog.objects.filter(action="evaluation-rule.delete").exists()


def test_what_is_stored_is_judged_once_whatever_was_judged_before(judging):
    judging.send(12)
    judging.send(3, ids="other", name="x")
    rule = judging.rule(filter=NAMED)
    judging.send(2)  # arrives again: judged live
    judging.work()
    now = timezone.now()
    assert count_matches(judging.scope, "observation", NAMED, now - timedelta(hours=1), now) == 12
    job = finished(start_backfill(judging.scope, rule.pk, since=now - timedelta(hours=1), until=now, actor=SYSTEM))
    assert (job.total, job.done, job.result) == (12, 12, {"counts": {"judgements": 10}})
    judging.work()
    assert len(judging.scores()) == 12
    again = start_backfill(judging.scope, rule.pk, since=now - timedelta(hours=1), until=now, actor=SYSTEM)
    assert finished(again).result == {"counts": {"judgements": 0}}


def test_what_was_cancelled_is_judged_when_somebody_wants_what_is_stored_judged(judging):
    rule = judging.rule(delay_seconds=600)
    judging.send(3)
    judging.work()
    update_rule(judging.scope, rule.pk, {"is_enabled": False}, actor=SYSTEM)
    update_rule(judging.scope, rule.pk, {"is_enabled": True}, actor=SYSTEM)
    now = timezone.now()
    job = start_backfill(judging.scope, rule.pk, since=now - timedelta(hours=1), until=now, actor=SYSTEM)
    assert finished(job).result == {"counts": {"judgements": 3}}
    judging.work()
    assert len(judging.scores()) == 3


def test_a_backfill_takes_just_as_many_as_are_wanted(judging):
    judging.send(30)
    rule = judging.rule(is_enabled=False)
    now = timezone.now()
    span = {"since": now - timedelta(hours=1), "until": now}
    finished(start_backfill(judging.scope, rule.pk, most=7, **span, actor=SYSTEM))
    chosen = {one.trace_id for one in judging.judgements()}
    assert len(chosen) == 7
    finished(start_backfill(judging.scope, rule.pk, most=9, **span, actor=SYSTEM))
    assert chosen < {one.trace_id for one in judging.judgements()}
    assert len(judging.judgements()) == 9
    for wrong in ({"most": 0}, {"sampling": 2}, {"since": now}):
        with pytest.raises(Invalid):
            start_backfill(judging.scope, rule.pk, **{**span, **wrong}, actor=SYSTEM)


@pytest.mark.parametrize("kind", ["trace", "session"])
def test_traces_and_sessions_that_are_stored_are_judged_too(judging, kind):
    mapping = CONVERSATION if kind == "session" else MAPPING
    rule = judging.rule(judging.evaluator(mapping=mapping), target=kind, is_enabled=False)
    for number in range(3):
        judging.send(2, ids=f"s{number}-", sessionId=f"s{number}")
    now = timezone.now()
    finished(start_backfill(judging.scope, rule.pk, since=now - timedelta(hours=1), until=now, actor=SYSTEM))
    judging.work()
    assert len(judging.scores()) == (3 if kind == "session" else 6)


def test_selected_rows_are_judged_without_a_rule_and_again_on_demand(judging):
    judging.send(3)
    evaluator = judging.evaluator()
    chosen = Selection(Noun.OBSERVATIONS, (RowId("t0", "t0-g"), RowId("t2", "t2-g"), RowId("t9", "gone")))
    finished(judge_selection(judging.scope, chosen, [evaluator.pk], actor=SYSTEM))
    judging.work()
    assert [(one.trace_id, one.value) for one in judging.scores()] != []
    judging.stub.score = 1
    finished(judge_selection(judging.scope, chosen, [evaluator.pk], actor=SYSTEM))
    judging.work()
    assert sorted((one.trace_id, one.value) for one in judging.scores()) == [("t0", 1.0), ("t2", 1.0)]
    with pytest.raises(Invalid):
        judge_selection(judging.scope, chosen, ["nobody"], actor=SYSTEM)


def test_an_estimate_goes_by_what_matched_and_what_it_cost(judging):
    price(judging)
    judging.send(14)
    evaluator = judging.evaluator()
    fields = RuleFields("all", filter=NAMED, sampling=0.5, assignments=[(evaluator.pk, None)])
    guess = estimate(judging.scope, fields)
    assert guess.matches_per_day == 1.0
    assert guess.cost_per_judgement is not None
    assert guess.cost_per_judgement > 0
    assert "prices" in guess.basis
    judging.rule(evaluator, filter=NAMED)
    judging.send(2)
    judging.work()
    known = estimate(judging.scope, fields)
    assert (known.cost_per_judgement, known.cost_per_day) == (Decimal("0.12"), Decimal("0.12"))
    assert "so far" in known.basis
    [row] = list_rules(judging.scope)
    assert (row.judged_7d, row.cost_7d, len(row.last)) == (2, Decimal("0.24"), 2)


def test_rules_are_checked_as_a_whole(judging):
    wrong = RuleFields(
        "",
        target="trace",
        filter=[{"type": "string", "column": "nope", "operator": "=", "value": ""}],
        sampling=0,
        delay_seconds=10**9,
        daily_cap=Decimal("-1"),
        is_enabled=True,
        schedule=Schedule("every day"),
    )
    with pytest.raises(Invalid) as caught:
        create_rule(judging.scope, wrong, actor=SYSTEM)
    paths = [one["path"][0] for one in caught.value.issues or []]
    assert paths == ["name", "sampling", "filter", "delaySeconds", "dailyCap", "schedule", "evaluatorAssignments"]
    for target in ("observation", "trace"):
        names = [one.name for one in filter_columns(target)]
        assert "name" in names
        assert len(names) == len(set(names))
    assert recent(judging.scope, "observation") == []


# --- Set times ---------------------------------------------------------------------------------------------
def test_a_schedule_that_was_due_runs_once_over_what_began_since(judging):
    judging.send(4)
    rule = judging.rule(is_enabled=False, schedule=Schedule("0 3 * * *", "Europe/Berlin", sample=3))
    run_due_schedules()
    assert not Job.objects.exists()
    # As if everything had been down over two of its times.
    Rule.objects.update(scheduled_at=timezone.now() - timedelta(days=2, hours=1))
    run_due_schedules()
    run_due_schedules()
    [job] = Job.objects.all()
    assert finished(job).result == {"counts": {"judgements": 3}}
    judging.work()
    assert len(judging.scores()) == 3
    assert {one.origin for one in judging.judgements()} == {"schedule"}
    assert schedules.next_run(get_rule(judging.scope, rule.pk)) > timezone.now()


def test_what_began_before_the_last_run_and_arrived_after_it_is_judged_once(judging):
    rule = judging.rule(is_enabled=False, schedule=Schedule("* * * * *"))

    def run() -> None:
        # The next time of the schedule has come, after the last run.
        Rule.objects.update(scheduled_at=timezone.now() - timedelta(seconds=61))
        run_due_schedules()
        for job in Job.objects.filter(status=JobStatus.QUEUED):
            finished(job)
        judging.work()

    judging.send(2, ids="soon")
    run()
    judging.send(2, ids="late", startTime=(datetime.now(UTC) - timedelta(minutes=20)).isoformat())
    run()
    assert sorted(one.trace_id for one in judging.scores()) == ["late0", "late1", "soon0", "soon1"]
    update_rule(judging.scope, rule.pk, {"sampling": 0.5}, actor=SYSTEM)
    judging.send(20, ids="share")
    run()
    run()
    chosen = {one.trace_id for one in judging.scores() if one.trace_id.startswith("share")}
    assert chosen == {
        f"share{n}"
        for n in range(20)
        if matching.is_sampled(rule.pk, Target("observation", f"share{n}", f"share{n}-g"), 0.5)
    }


def test_a_schedule_that_is_changed_counts_from_then_and_looks_back_to_its_last_run(judging):
    hour = timezone.now().hour
    rule = judging.rule(is_enabled=False, schedule=Schedule(f"0 {(hour + 6) % 24} * * *"))
    last = timezone.now() - timedelta(hours=12)
    Rule.objects.update(scheduled_at=last)
    assert not schedules.is_due(get_rule(judging.scope, rule.pk))
    # A time that has passed since the last run, but was none of the schedule's then.
    earlier = Schedule(f"0 {(hour - 3) % 24} * * *")
    rule = update_rule(judging.scope, rule.pk, {"schedule": earlier}, actor=SYSTEM)
    run_due_schedules()
    assert not Job.objects.exists()
    assert schedules.span_of(rule, timezone.now())[0] == last - timedelta(hours=1)
    # The same again is no change: what is due by then stays due.
    said = orjson.loads(rule.schedule.kwargs)
    said["counts_from"] = (timezone.now() - timedelta(days=1)).isoformat()
    PeriodicTask.objects.filter(pk=rule.schedule_id).update(kwargs=orjson.dumps(said).decode())
    update_rule(judging.scope, rule.pk, {"schedule": earlier}, actor=SYSTEM)
    run_scheduled_rule(**said)
    assert Job.objects.count() == 1


def test_a_schedule_is_a_periodic_task_that_can_be_changed_and_taken_away(judging):
    rule = judging.rule(is_enabled=False, schedule=Schedule("0 3 * * *", window="yesterday"))
    task = PeriodicTask.objects.get(task=schedules.TASK)
    assert task.enabled
    assert schedules.schedule_of(rule) == Schedule("0 3 * * *", window="yesterday")
    since, until = schedules.span_of(get_rule(judging.scope, rule.pk), datetime(2026, 3, 2, 3, tzinfo=UTC))
    assert (since, until) == (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC))
    changed = Schedule("*/5 8-18 * * 1-5", "Asia/Tokyo", "last_7_days", 10)
    rule = update_rule(judging.scope, rule.pk, {"schedule": changed}, actor=SYSTEM)
    assert schedules.schedule_of(rule) == changed
    assert PeriodicTask.objects.get(task=schedules.TASK).pk == task.pk
    update_rule(judging.scope, rule.pk, {"schedule": None}, actor=SYSTEM)
    assert not PeriodicTask.objects.filter(task=schedules.TASK).exists()
    for wrong in (
        Schedule("0 3 * *"),
        Schedule("61 * * * *"),
        Schedule("0 3 * * *", "Mars"),
        Schedule("* * * * *", window="x"),
        Schedule("* * * * " + ",".join("0123456" * 6)),
        Schedule("* * * " + ",".join(["1", "2"] * 20) + " *"),
    ):
        with pytest.raises(Invalid):
            update_rule(judging.scope, rule.pk, {"schedule": wrong}, actor=SYSTEM)
    update_rule(judging.scope, rule.pk, {"schedule": changed}, actor=SYSTEM)
    delete_rule(judging.scope, rule.pk, actor=SYSTEM)
    assert not PeriodicTask.objects.filter(task=schedules.TASK).exists()
    assert not Judgement.objects.exists()
