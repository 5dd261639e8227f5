"""What judgements forget with time, and what they must not: that their target was judged."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.audit import SYSTEM
from accounts.models import Membership
from accounts.roles import Role
from evals import tasks
from evals.actions import judgements as judgement_actions
from evals.actions.evaluators import start_trial
from evals.experiments import running
from evals.judging import claiming, pruning
from evals.judging.targets import Target
from evals.models import Judgement, Trial
from tests.evals.judging import Judging, judge  # noqa: F401 - a fixture
from tests.evals.plans import by_indexes
from tests.evals.test_judging_work import price
from tests.factories import make_user
from tests.tracing.conftest import own_inbox  # noqa: F401 - a fixture
from tests.tracing.sender import Sender
from tracing.ingest.own import untraced

# Ingestion asks by connections of its own, which do not see what a test has not committed.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("broker")]


@pytest.fixture
def judging(transactional_db, analytics_server, own_inbox, judge):  # noqa: F811
    return Judging(Sender(), judge)


def age(days: float) -> None:
    at = timezone.now() - timedelta(days=days)
    Judgement.objects.filter(ended_at__isnull=False).update(ended_at=at)
    Trial.objects.filter(ended_at__isnull=False).update(ended_at=at)


def test_an_old_judgement_forgets_what_was_said_and_nothing_else(judging):
    price(judging)
    judging.stub.script = [500]
    judging.rule()
    judging.send(1)
    judging.work()
    [before] = judging.judgements()
    age(89)
    tasks.prune_judgements()
    assert judging.judgements()[0].log_text == before.log_text
    age(91)
    tasks.prune_judgements()
    [found] = judging.judgements()
    assert found.is_pruned
    assert (found.status, found.value, found.reasoning, found.cost) == ("done", "0.5", before.reasoning, before.cost)
    assert found.answer_text == ""
    assert [sorted({*old} - {*new}) for old, new in zip(before.log, found.log, strict=True)] == [
        ["request", "response"],
        ["request", "response"],
    ]
    assert [one["status"] for one in found.log] == [500, 200]
    page = page_of(judging, found)
    assert page.count("is not kept here for so long") == 2
    assert "Nothing was sent" not in page
    assert "The stub says 500" in page


def test_a_target_is_judged_once_also_after_its_judgement_was_pruned(judging):
    """Whether its spans come once more, or its rule is run over what is stored."""
    judging.rule()
    judging.send(1)
    judging.work()
    age(91)
    pruning.prune()
    judging.send(1)
    judging.work()
    assert len(judging.judgements()) == 1
    assert len(judging.stub.requests) == 1
    assert len(judging.scores()) == 1


def test_a_pruned_judgement_can_be_judged_again_and_its_trace_keeps_what_was_said_first(judging):
    price(judging)
    judging.rule()
    judging.send(1)
    judging.work()
    [first] = judging.own_calls()
    age(91)
    pruning.prune()
    [pruned] = judging.judgements()
    judging.stub.score = 0.9
    assert judgement_actions.retry(judging.scope, [pruned.pk], actor=SYSTEM) == 1
    judging.work()
    [again] = judging.judgements()
    assert (again.value, again.is_pruned, len(again.log)) == ("0.9", False, 2)
    assert again.cost == 2 * pruned.cost
    assert [one.value for one in judging.scores()] == [0.9]
    kept, new = sorted(judging.own_calls(), key=lambda one: one.start_time)
    assert (kept.id, kept.start_time) == (first.id, first.start_time)
    assert kept.input == first.input != ""
    assert kept.output == first.output != ""
    assert (kept.usage, kept.model_parameters) == (first.usage, first.model_parameters)
    assert new.output
    age(91)
    pruning.prune()
    assert judging.judgements()[0].is_pruned
    assert not any("response" in entry for entry in judging.judgements()[0].log)


def test_what_is_judged_anew_this_moment_loses_nothing(judging):
    judging.rule()
    judging.send(1)
    judging.work()
    age(91)
    [read] = judging.judgements()
    judgement_actions.retry(judging.scope, [read.pk], actor=SYSTEM)
    Judgement.objects.update(answer_text="{}")  # it was answered; the score is not written
    pruning._shorten(read)
    [found] = judging.judgements()
    assert (found.answer_text, found.log_text, found.is_pruned) == ("{}", read.log_text, False)


def test_what_is_not_traced_waits_for_that(judging):
    judging.rule()
    judging.send(1)
    judging.work()
    age(91)
    Judgement.objects.update(is_traced=False)
    pruning.prune()
    assert not judging.judgements()[0].is_pruned


def test_more_than_one_batch_is_pruned(judging, monkeypatch):
    monkeypatch.setattr(pruning, "_BATCH", 2)
    judging.rule()
    judging.send(5)
    judging.work()
    for number in range(5):
        trial(judging, number)
    judging.work()
    age(91)
    pruning.prune()
    assert all(one.is_pruned for one in judging.judgements())
    assert not Trial.objects.exists()


def test_a_test_of_an_evaluator_goes_after_a_week(judging):
    judging.send(1)
    trial(judging, 0)
    judging.work()
    open_ = trial(judging, 0)
    age(6)
    pruning.prune()
    assert Trial.objects.count() == 2
    age(8)
    pruning.prune()
    assert list(Trial.objects.all()) == [open_]


def test_nothing_is_pruned_where_the_settings_say_so(judging, settings):
    settings.TRIAL_DAYS = settings.JUDGEMENT_LOG_DAYS = 0
    judging.rule()
    judging.send(1)
    trial(judging, 0)
    judging.work()
    age(10_000)
    pruning.prune()
    assert Trial.objects.count() == 1
    assert not judging.judgements()[0].is_pruned


def page_of(judging: Judging, judgement: Judgement) -> str:
    viewer, client = make_user("viewer@example.com"), Client()
    Membership.objects.create(organization=judging.project.organization, user=viewer, role=Role.VIEWER)
    client.force_login(viewer)
    address = reverse("evals:judgement-detail", args=[judging.project.pk, judgement.pk])
    return client.get(address).content.decode()


def trial(judging: Judging, number: int) -> Trial:
    return start_trial(
        judging.scope, judging.fields(), Target("observation", f"t{number}", f"t{number}-g"), actor=SYSTEM
    )


def test_what_is_asked_every_few_seconds_is_found_by_indexes(db):
    own_items = running.claims.at_work().filter(due_at__isnull=False)
    for rows, index in (
        (running._due(), "evals_experiment_item_own"),
        (own_items, "evals_experiment_item_own"),
        (claiming.due(), "evals_judgement_due"),
        (untraced(Judgement.objects.filter(project__deleted_at=None)), "evals_judgement_not_traced"),
        (pruning.old_judgements(), "evals_judgement_unpruned"),
    ):
        with by_indexes(each_table_alone=True):
            assert index in rows.explain(), rows.query
