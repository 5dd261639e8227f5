"""Judgements from arrival to score: whatever goes wrong on the way, each target has one score in the end."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core import mail
from django.db import DataError, OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.audit import SYSTEM
from accounts.models import Membership
from accounts.roles import Role
from config import runners
from config.errors import Conflict, Invalid, Unavailable
from evals import arrivals
from evals.actions import judgements as judgement_actions
from evals.actions.evaluators import (
    delete_evaluator,
    resume_evaluator,
    save_version,
    set_default_model,
    start_trial,
)
from evals.actions.rules import update_rule
from evals.judging import asking, claiming, scoring, work
from evals.judging.targets import Target, load
from evals.models import Evaluator, Judgement, JudgementStatus, ModelAbility, Rule
from evals.queries.evaluators import get_trial, latest_of, list_evaluators
from evals.queries.judgements import judgement_of_score, list_judgements
from tests.evals.judge_stub import KEY
from tests.evals.judging import Judging, judge  # noqa: F401 - a fixture
from tests.evals.plans import by_indexes
from tests.factories import make_user
from tests.tracing.conftest import own_inbox  # noqa: F401 - a fixture
from tests.tracing.sender import Sender
from tracing.models import Model, PricingTier
from tracing.pricing.catalogue import forget_catalogues

# Ingestion asks by connections of its own, which do not see what a test has not committed.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("broker")]


@pytest.fixture
def judging(transactional_db, analytics_server, own_inbox, judge):  # noqa: F811
    return Judging(Sender(), judge)


def price(judging, dollars="0.001"):
    model = Model.objects.create(project=judging.project, name="judge-1", match_pattern="^judge.*$", provider="stub")
    PricingTier.objects.create(
        model=model, name="Standard", is_default=True, priority=0, prices={"input": dollars, "output": dollars}
    )
    forget_catalogues()


def test_what_arrives_is_judged_once_with_reasons_and_a_trace(judging):
    price(judging)
    rule = judging.rule()
    judging.send(3)
    judging.work()
    scores = judging.scores()
    assert [(one.trace_id, one.observation_id, one.name, one.value) for one in scores] == [
        (one.trace_id, f"{one.trace_id}-g", "quality", 0.5) for one in scores
    ]
    assert sorted(one.trace_id for one in scores) == ["t0", "t1", "t2"]
    score = scores[0]
    assert (score.source, score.comment, score.environment) == ("EVAL", "Because of the stub.", "default")
    judgement = judgement_of_score(judging.scope, score.id)
    assert judgement is not None
    assert judgement.rule_id == rule.pk
    assert (judgement.status, judgement.value, judgement.cost) == ("done", "0.5", Decimal("0.12"))
    [entry] = judgement.log
    assert (entry["way"], entry["status"], entry["problem"]) == ("schema", 200, "")
    assert "What is" in entry["request"]["messages"][1]["content"]
    assert KEY not in judgement.log_text
    calls = judging.own_calls()
    [call] = [one for one in calls if one.trace_id == score.execution_trace_id]
    assert (call.type, call.model, call.total_cost) == ("GENERATION", "judge-1", Decimal("0.12"))
    assert call.metadata["evaluator_id"] == judgement.evaluator_id
    assert call.metadata["rule_id"] == rule.pk
    # Told of again, and with the judges' own calls arrived: nothing more.
    judging.send(3)
    judging.work()
    assert len(judging.scores()) == 3
    assert len(judging.stub.requests) == 3


@pytest.mark.parametrize(
    ("model", "asked", "way"),
    [("judge", 1, "schema"), ("no-schema", 2, "tool"), ("no-tools", 3, "text"), ("prose", 1, "schema")],
)
def test_a_model_is_asked_in_the_way_that_it_knows_and_that_is_remembered(judging, model, asked, way):
    judging.rule(judging.evaluator(model={"provider": "stub", "model": model, "parameters": {}}))
    judging.send(1)
    judging.work()
    assert len(judging.stub.requests) == asked
    assert ModelAbility.objects.get().way == way
    judging.send(1, ids="u")
    judging.work()
    assert len(judging.stub.requests) == asked + 1
    assert [one.value for one in judging.scores()] == [0.5, 0.5]


def test_a_broken_provider_that_heals_leaves_one_score_each(judging):
    judging.stub.script = [429, 500, "I cannot say.", '{"score": 7}']
    judging.rule()
    judging.send(2)
    judging.work()
    assert [one.value for one in judging.scores()] == [0.5, 0.5]
    done = judging.judgements()
    assert sum(one.attempts for one in done) == 6
    said = " ".join(entry["problem"] for one in done for entry in one.log)
    assert "The stub says 429" in said
    assert "above 1" in said
    assert KEY not in said
    levels = sorted(one.level for one in judging.own_calls())
    assert levels == ["DEFAULT", "DEFAULT", "WARNING", "WARNING", "WARNING", "WARNING"]


def test_a_provider_says_how_long_it_wants_to_be_left_alone(judging):
    judging.stub.script, judging.stub.retry_after = [429], "90"
    judging.rule()
    judging.send(1)
    judging.work()
    [waiting] = judging.judgements()
    assert waiting.status == "waiting"
    assert waiting.due_at > timezone.now() + timedelta(seconds=80)
    judging.due()
    assert len(judging.scores()) == 1


def test_a_server_that_cannot_be_trusted_is_not_asked_again(judging):
    """Neither does an experiment: what may pass is said in one place."""
    judging.connection.base_url = judging.stub.url.replace("http:", "https:")
    judging.connection.save()
    judging.rule()
    judging.send(1)
    judging.work()
    [failed] = judging.judgements()
    assert (failed.status, failed.attempts) == ("failed", 1)
    assert "certificate" in failed.problem


def test_a_host_that_is_not_found_may_be_later(judging):
    judging.connection.base_url = "http://no-such-host.invalid/v1"
    judging.connection.save()
    judging.rule()
    judging.send(1)
    judging.work()
    [failed] = judging.judgements()
    assert (failed.status, failed.attempts) == ("failed", 5)


def test_what_fails_for_good_shows_its_log_and_can_be_retried(judging):
    judging.stub.script = [500] * 5
    judging.rule()
    judging.send(1)
    judging.work()
    [failed] = judging.judgements()
    assert (failed.status, failed.attempts, len(failed.log)) == ("failed", 5, 5)
    assert "The stub says 500" in failed.problem
    assert not judging.scores()
    assert [one.level for one in judging.own_calls()].count("ERROR") == 1
    assert judgement_actions.retry(judging.scope, matching={"status": "failed"}, actor=SYSTEM) == 1
    judging.work()
    assert len(judging.scores()) == 1
    assert judging.judgements()[0].status == "done"
    assert list_judgements(judging.scope, status="failed").items == []


def test_a_missing_path_fails_clearly_and_asks_nobody(judging):
    mapping = [
        {"variable": "question", "source": "metadata", "jsonPath": "$.q"},
        {"variable": "answer", "source": "output"},
    ]
    judging.rule(judging.evaluator(mapping=mapping))
    judging.send(1)
    judging.work()
    [failed] = judging.judgements()
    assert failed.status == "failed"
    assert "{{question}}: $.q finds nothing" in failed.problem
    assert judging.stub.requests == []


@pytest.mark.parametrize(
    ("model", "reason"), [("401", "key_refused"), ("404", "model_not_found"), ("403", "key_not_allowed")]
)
def test_a_judge_that_cannot_be_asked_is_paused_and_nothing_is_lost(judging, model, reason):
    admin = make_user("admin@example.com")
    Membership.objects.create(organization=judging.project.organization, user=admin, role=Role.ADMIN)
    evaluator = judging.evaluator(model={"provider": "stub", "model": model, "parameters": {}})
    judging.rule(evaluator)
    judging.send(3)
    judging.work()
    evaluator.refresh_from_db()
    assert (evaluator.status, evaluator.paused_reason) == ("paused", reason)
    assert f"The stub says {model}" in evaluator.paused_message
    assert KEY not in evaluator.paused_message
    assert [one.status for one in judging.judgements()] == ["waiting"] * 3
    assert [one.to for one in mail.outbox].count(["admin@example.com"]) == 1
    fixed = judging.fields()
    save_version(judging.scope, evaluator.pk, fixed, actor=SYSTEM, based_on=1)
    judging.work()
    assert not judging.scores()
    resume_evaluator(judging.scope, evaluator.pk, actor=SYSTEM)
    judging.work()
    assert len(judging.scores()) == 3
    assert {one.version.number for one in Judgement.objects.select_related("version")} == {2}


def test_a_deleted_connection_and_a_missing_default_pause_too(judging):
    by_default = judging.evaluator("default", model=None)
    judging.rule(by_default)
    judging.send(1)
    judging.work()
    by_default.refresh_from_db()
    assert by_default.paused_reason == "no_model"
    set_default_model(judging.scope, "stub", "judge", {"temperature": 0}, actor=SYSTEM)
    judging.work()
    assert len(judging.scores()) == 1
    assert judging.stub.requests[0]["temperature"] == 0
    judging.connection.delete()
    judging.send(1, ids="u")
    judging.work()
    by_default.refresh_from_db()
    assert by_default.paused_reason == "no_connection"


def test_a_process_killed_between_answer_and_score_asks_nobody_twice(judging, monkeypatch):
    """The row says that it is worked on by a process that is gone."""
    judging.rule()
    judging.send(1)
    put, calls = scoring.put_scores, []

    def killed(scope, scores):
        calls.append(len(scores))
        raise KeyboardInterrupt

    monkeypatch.setattr(scoring, "put_scores", killed)
    with pytest.raises(KeyboardInterrupt):
        judging.work()
    monkeypatch.setattr(scoring, "put_scores", put)
    Judgement.objects.update(runner="elsewhere:1:x:y", heartbeat_at=timezone.now() - timedelta(minutes=5))
    work.sweep()
    judging.work()
    assert len(judging.scores()) == 1
    assert len(judging.stub.requests) == 1
    assert calls == [1]


def test_a_score_that_was_written_before_a_kill_is_written_again_as_the_same(judging, monkeypatch):
    judging.rule()
    judging.send(1)
    put = scoring.put_scores

    def written_then_killed(scope, scores):
        put(scope, scores)
        raise KeyboardInterrupt

    monkeypatch.setattr(scoring, "put_scores", written_then_killed)
    with pytest.raises(KeyboardInterrupt):
        judging.work()
    assert len(judging.scores()) == 1
    monkeypatch.setattr(scoring, "put_scores", put)
    Judgement.objects.update(runner="elsewhere:1:x:y", heartbeat_at=timezone.now() - timedelta(minutes=5))
    work.sweep()
    judging.work()
    assert len(judging.scores()) == 1
    assert len(judging.stub.requests) == 1
    assert judging.judgements()[0].status == "done"


def test_an_answer_that_cannot_be_written_is_not_asked_for_again_and_again(judging, monkeypatch, caplog):
    def refused(*_args):
        raise DataError("no such text")

    monkeypatch.setattr(work, "note_answer", refused)
    judging.rule()
    judging.send(1)
    judging.work()
    work.sweep()
    judging.work()
    [failed] = judging.judgements()
    assert (failed.status, failed.problem) == ("failed", "An unexpected error (DataError).")
    assert len(judging.stub.requests) == 1
    assert "cannot be written" in caplog.text


def test_an_answer_is_kept_while_the_database_is_away_for_what_else_is_known_of_it(judging, monkeypatch):
    def away(*_args, **_kwargs):
        raise OperationalError("away")

    monkeypatch.setattr(asking, "cost_of", away)
    monkeypatch.setattr(ModelAbility.objects, "update_or_create", away)
    judging.rule()
    judging.send(1)
    judging.work()
    [done] = judging.judgements()
    assert (done.status, done.value, done.cost) == ("done", "0.5", None)
    assert len(judging.stub.requests) == 1


def test_what_cannot_be_read_is_shown_without_secrets_and_as_databases_keep_it(judging):
    said = f'{{"score": "{KEY} \\u0000"}}'
    judging.stub.script = [said] * 5
    judging.rule()
    judging.send(1)
    judging.work()
    [failed] = judging.judgements()
    assert "is no number" in failed.problem
    for text in (failed.problem, *(one["problem"] for one in failed.log)):
        assert KEY not in text
        assert "\x00" not in text


def test_a_target_that_ends_each_worker_fails_in_the_end(judging):
    judging.rule()
    judging.send(1)
    arrivals.work()
    for _time in range(5):
        assert claiming.take_judgement() is not None
        Judgement.objects.update(runner="elsewhere:1:x:y", heartbeat_at=timezone.now() - timedelta(minutes=5))
        work.sweep()
        claiming.turns.forget()
    [failed] = judging.judgements()
    assert (failed.status, failed.attempts) == ("failed", 5)
    assert "worker ended each time" in failed.problem
    assert claiming.take_judgement() is None


def test_an_answer_to_a_row_that_was_taken_for_lost_is_kept(judging, monkeypatch):
    """As after a database that was away for longer than the lease."""
    judging.rule()
    judging.send(1)
    note = work.note_answer

    def swept_before(judgement, *said):
        Judgement.objects.update(heartbeat_at=timezone.now() - timedelta(minutes=5))
        work.sweep()
        assert Judgement.objects.get().status == "waiting"
        note(judgement, *said)

    monkeypatch.setattr(work, "note_answer", swept_before)
    judging.work()
    [done] = judging.judgements()
    assert (done.status, done.value) == ("done", "0.5")
    assert len(judging.stub.requests) == 1


def test_a_judge_is_told_what_is_left_out_of_a_long_step(judging):
    calls = [{"id": "c1", "type": "function", "function": {"name": "look", "arguments": "x" * 7_000}}]
    said = {"role": "assistant", "content": "", "tool_calls": calls}
    judging.send(1, input="q" * 44_000 + "THE END", output=said)
    [step] = load(judging.scope, Target("trace", "t0")).document["trace"]["steps"]
    assert step["input"].endswith("THE END")
    assert f"{44_007 - 6_000:,} characters left out" in step["input"]
    assert "characters left out" in step["tool_calls"][0]
    assert "look" in step["tool_calls"][0]


def test_a_trace_that_cannot_be_handed_in_is_handed_in_later(judging, monkeypatch):
    judging.rule()
    judging.send(1)

    def away(*_args, **_kwargs):
        raise Unavailable("The inbox is away.")

    monkeypatch.setattr(work.traces, "hand_in", away)
    judging.work()
    assert len(judging.scores()) == 1
    assert not judging.own_calls()
    monkeypatch.undo()
    Judgement.objects.update(ended_at=timezone.now() - timedelta(minutes=1))
    work.sweep()
    work.sweep()
    assert len(judging.own_calls()) == 1


def test_a_daily_cap_holds_what_would_exceed_it_until_tomorrow(judging):
    price(judging)  # each costs 12 cents
    rule = judging.rule(daily_cap=Decimal("0.40"))
    judging.send(6)
    judging.work()
    held = judging.judgements(status=JudgementStatus.WAITING)
    assert len(judging.scores()) == 3
    assert len(held) == 3
    assert all(one.held_by == "cap" and one.due_at.date() > timezone.now().date() for one in held)
    assert "daily cap of $0.40" in held[0].problem
    update_rule(judging.scope, rule.pk, {"daily_cap": Decimal("0.60")}, actor=SYSTEM)
    judging.work()
    assert len(judging.scores()) == 5
    update_rule(judging.scope, rule.pk, {"daily_cap": None}, actor=SYSTEM)
    judging.work()
    assert len(judging.scores()) == 6


def test_what_is_judged_again_counts_for_the_daily_cap_with_what_it_cost_before(judging):
    price(judging)  # each costs 12 cents
    judging.rule(daily_cap=Decimal("0.36"))
    judging.send(4)
    judging.work()
    asked = len(judging.stub.requests)
    assert asked == 3
    held = judging.judgements(status=JudgementStatus.WAITING)
    done = [one.pk for one in judging.judgements(status=JudgementStatus.DONE)]
    assert judgement_actions.retry(judging.scope, [*done, held[0].pk], actor=SYSTEM) == 3
    judging.work()
    assert len(judging.stub.requests) == asked
    assert {one.held_by for one in judging.judgements()} == {"cap"}


def test_categories_truths_and_texts_become_scores_of_their_type(judging):
    categories = ["Good", "Kind", "Bad"]
    outputs = {
        "truth": ({"dataType": "BOOLEAN"}, True),
        "text": ({"dataType": "TEXT"}, "Well said."),
        "one": ({"dataType": "CATEGORICAL", "categories": categories}, "Bad"),
        "several": (
            {"dataType": "CATEGORICAL", "categories": categories, "shouldAllowMultipleMatches": True}, ["Kind", "Good"],
        ),
    }  # fmt: skip
    for name, (output, said) in outputs.items():
        judging.stub.score = said
        judging.rule(judging.evaluator(name, output=output), name=name)
        judging.send(1)
        judging.work()
        # The next rule has it arrive again.
    found = sorted((one.name, one.data_type, one.value, one.string_value) for one in judging.scores())
    assert found == [
        ("one", "CATEGORICAL", None, "Bad"),
        ("several", "CATEGORICAL", None, "Good"),
        ("several", "CATEGORICAL", None, "Kind"),
        ("text", "TEXT", None, "Well said."),
        ("truth", "BOOLEAN", 1.0, "True"),
    ]


def test_a_target_that_is_judged_again_has_only_its_new_scores(judging):
    output = {"dataType": "CATEGORICAL", "categories": ["a", "b", "c"], "shouldAllowMultipleMatches": True}
    judging.stub.score = ["c", "a", "b"]
    judging.rule(judging.evaluator(output=output))
    judging.send(1)
    judging.work()
    assert sorted(one.string_value for one in judging.scores()) == ["a", "b", "c"]
    judging.stub.score = ["b"]
    [judgement] = judging.judgements()
    assert judgement_actions.retry(judging.scope, [judgement.pk], actor=SYSTEM) == 1
    judging.work()
    assert [one.string_value for one in judging.scores()] == ["b"]


def test_a_version_that_gives_one_score_takes_away_what_an_older_one_gave_more(judging):
    output = {"dataType": "CATEGORICAL", "categories": ["a", "b", "c"], "shouldAllowMultipleMatches": True}
    judging.stub.score = ["c", "a", "b"]
    evaluator = judging.evaluator(output=output)
    judging.rule(evaluator)
    judging.send(1)
    judging.work()
    assert len(judging.scores()) == 3
    save_version(judging.scope, evaluator.pk, judging.fields(), actor=SYSTEM, based_on=1)
    judging.stub.score = 0.5
    [judgement] = judging.judgements()
    judgement_actions.retry(judging.scope, [judgement.pk], actor=SYSTEM)
    judging.work()
    assert [(one.value, one.string_value) for one in judging.scores()] == [(0.5, "")]


def test_code_is_an_evaluator_that_reaches_nothing(judging):
    source = "def evaluate(input, output):\n    return {'value': len(output) > 5, 'reasoning': input['question']}"
    fields = {
        "kind": "code",
        "messages": (),
        "output": None,
        "model": None,
        "mapping": None,
        "source_language": "PYTHON",
    }
    judging.rule(judging.evaluator("long", source_code=source, **fields))
    evil = "def evaluate(output):\n    import os\n    return os.environ['SECRET_KEY']"
    judging.rule(judging.evaluator("evil", source_code=evil, **fields), name="evil")
    judging.send(1)
    judging.work()
    [score] = judging.scores()
    assert (score.name, score.value, score.comment) == ("long", 1.0, "What is 0?")
    failed = Judgement.objects.get(evaluator__name="evil")
    assert failed.status == "failed"
    assert failed.problem.startswith("Line ")
    assert judging.stub.requests == []
    with pytest.raises(Invalid) as caught:
        judging.evaluator("ts", source_code="x", **{**fields, "source_language": "TYPESCRIPT"})
    assert "Only Python" in str(caught.value.issues)


def test_a_test_before_saving_is_asked_and_traced_but_scores_nothing(judging):
    judging.send(1)
    target = Target("observation", "t0", "t0-g")
    trial = start_trial(judging.scope, judging.fields(), target, actor=SYSTEM)
    judging.work()
    done = get_trial(judging.scope, trial.pk)
    assert (done.status, done.value, done.reasoning) == ("done", "0.5", "Because of the stub.")
    assert done.seconds is not None
    assert done.log[0]["response"]
    assert judging.own_calls()[0].trace_id == done.execution_trace_id
    assert not judging.scores()
    assert not judging.judgements()
    judging.stub.script = [500]
    failed = start_trial(judging.scope, judging.fields(), target, actor=SYSTEM)
    judging.work()
    failed.refresh_from_db()
    assert failed.status == "failed"
    assert "The stub says 500" in failed.problem
    gone = start_trial(judging.scope, judging.fields(), Target("trace", "nowhere"), actor=SYSTEM)
    judging.work()
    gone.refresh_from_db()
    assert gone.status == "failed"
    assert "not found" in gone.problem


def test_versions_are_kept_and_the_latest_judges(judging):
    evaluator = judging.evaluator()
    same = save_version(judging.scope, evaluator.pk, judging.fields(), actor=SYSTEM, based_on=1)
    assert same.number == 1
    changed = judging.fields(messages=[{"role": "user", "content": "{{question}} {{answer}}!"}])
    assert save_version(judging.scope, evaluator.pk, changed, actor=SYSTEM, based_on=1).number == 2
    with pytest.raises(Conflict):
        save_version(judging.scope, evaluator.pk, judging.fields(), actor=SYSTEM, based_on=1)
    assert latest_of(evaluator).number == 2
    rule = judging.rule(evaluator)
    judging.send(1)
    judging.work()
    [row] = list_evaluators(judging.scope)
    assert (row.version.number, row.rules, row.judged_7d, len(row.last)) == (2, 1, 1, 1)
    with pytest.raises(Conflict, match="all"):
        delete_evaluator(judging.scope, evaluator.pk, actor=SYSTEM)
    update_rule(judging.scope, rule.pk, {"is_enabled": False}, actor=SYSTEM)
    delete_evaluator(judging.scope, evaluator.pk, actor=SYSTEM)
    assert not Evaluator.objects.exists()
    assert len(judging.scores()) == 1


def test_projects_take_turns(judging, judge):  # noqa: F811
    judging.rule()
    judging.send(5)
    other = Judging(Sender(name="Other"), judge)
    other.rule()
    other.send(1, ids="o")
    arrivals.work()
    claiming.turns.forget()
    running = Judgement.objects.filter(project=judging.project).first()
    assert running is not None
    Judgement.objects.filter(pk=running.pk).update(
        status="running", runner=runners.new_mark(), heartbeat_at=timezone.now()
    )
    assert work.work_on_next()
    assert len(other.scores()) == 1
    assert not judging.scores()


def test_what_waits_for_a_paused_evaluator_is_not_gone_over_for_each_claim(judging):
    paused, active = judging.evaluator("paused"), judging.evaluator("active")
    judging.rule(paused, active)
    judging.send(3)
    arrivals.work()
    Evaluator.objects.filter(pk=paused.pk).update(status="paused")
    Judgement.objects.filter(evaluator=paused).update(due_at=timezone.now() - timedelta(days=1))
    claiming.turns.forget()
    assert claiming.turns.evaluators_of(judging.project.pk) == [active.pk]
    with CaptureQueriesContext(connection) as asked:
        assert claiming.take_judgement().evaluator_id == active.pk
    claims = [one["sql"] for one in asked if 'ORDER BY "evals_judgement"."due_at"' in one["sql"]]
    assert claims
    midnight = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    todays = Judgement.objects.filter(rule=Rule.objects.get(), started_at__gte=midnight)
    with by_indexes(), connection.cursor() as cursor:
        for sql in claims:
            cursor.execute(("EXPLAIN QUERY PLAN " if connection.vendor == "sqlite" else "EXPLAIN ") + sql)
            assert "evals_judgement_due_of" in str(cursor.fetchall()), sql
        # Of a handful of rows PostgreSQL takes any index of the rule's.
        assert ("evals_judgement_started" if connection.vendor == "sqlite" else "Index Scan") in todays.explain()
