"""History follows prices: recomputing costs is the same as ingesting anew, also when it is killed on the way."""

from __future__ import annotations

from decimal import Decimal

import pytest

from accounts.access import scope_for_task
from accounts.audit import SYSTEM
from config.errors import Invalid
from tests.tracing.sender import Sender
from tracing import actions
from tracing.actions import jobs, recompute
from tracing.actions.models import create_model, put_model
from tracing.actions.recompute import Repricing, preview, receipt_of, start_recomputation
from tracing.ingest import drain, reprice
from tracing.models import JobStatus
from tracing.pricing import catalogue_for, explain, forget_catalogues
from tracing.pricing.definition import ModelDefinition, TierDefinition, flat
from tracing.queries import cost
from tracing.queries.cost import list_observed_models
from tracing.queries.periods import Period, parse_time

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("broker", "analytics_server", "own_inbox"),
]

D = Decimal
PRICED = reprice._PRICED


@pytest.fixture(autouse=True)
def small_steps(monkeypatch):
    monkeypatch.setattr(recompute, "ROWS_PER_STEP", 7)
    monkeypatch.setattr(jobs, "call_worker", lambda: None)
    forget_catalogues()
    yield
    forget_catalogues()


def definition(price, name="acme"):
    long = {"usageDetailPattern": "^input", "operator": "gt", "value": 1000}
    more = TierDefinition("Long", {"input": 3 * D(price), "output": D(price)}, False, 1, [long])
    return ModelDefinition(
        name, "^acme", [TierDefinition("Standard", {"input": D(price), "output": D(price)}, True), more],
        tokenizer="openai",
    )  # fmt: skip


def events(count=30, model=None):
    for number in range(count):
        body = {
            "id": f"o{number:03}",
            "traceId": f"t{number // 3}",
            "startTime": f"2026-11-01T10:{number:02}:00Z",
            "model": model or ("acme-1" if number % 2 else "acme-2"),
        }
        match number % 5:
            case 0:
                body |= {"input": f"count these words {number}", "output": "yes"}
            case 1:
                body |= {"usageDetails": {"input": number, "output": 3}, "costDetails": {"total": 0.5}}
            case 2:
                body |= {"usageDetails": {"input": 2000 + number, "output": 1}}
            case 3:
                body |= {"usageDetails": {"input": number, "output": 3, "rays": 1}}
            case 4:
                body |= {"model": "nobody-knows", "usageDetails": {"input": 5}}
        yield {"id": f"e{number}", "type": "generation-create", "timestamp": "2026-11-01T10:00:00Z", "body": body}


def send(sender, **more):
    answer = sender.post("/api/public/ingestion", {"batch": list(events(**more))})
    assert answer.json()["errors"] == []
    drain.drain()


def model_of(sender, price):
    """Under an id of its own, so that two projects can be compared."""
    put_model(scope_for_task(sender.project.id), "acme-id", definition(price), actor=SYSTEM)
    forget_catalogues()


def priced(sender):
    skip = {"pricing_tier_id"}  # each project has its own
    return {o.id: tuple(getattr(o, name) for name in PRICED if name not in skip) for o in sender.observations()}


@pytest.fixture
def changed(sender):
    """A project whose price went up tenfold after the fact."""
    model_of(sender, "0.000001")
    send(sender)
    model_of(sender, "0.00001")
    return sender


@pytest.fixture
def anew():
    """The same, ingested under the new price."""
    other = Sender()
    model_of(other, "0.00001")
    send(other)
    return priced(other)


EVERYTHING = Repricing()


def run(sender, wanted=EVERYTHING, **more):
    return start_recomputation(sender.scope, wanted, actor=SYSTEM, **more)


def finish(job):
    for _ in range(50):
        job.refresh_from_db()
        if not job.is_unfinished:
            return job
        jobs.run_job(job)
    raise AssertionError(job.status)


def test_recomputed_is_ingested_anew(changed, anew):
    before = sum(o.total_cost for o in changed.observations())
    assert priced(changed) != anew
    job = finish(run(changed))
    assert (job.status, job.done, job.total) == (JobStatus.DONE, 30, 30)
    assert priced(changed) == anew
    receipt = receipt_of(job)
    after = sum(o.total_cost for o in changed.observations())
    assert (receipt.before, receipt.after, receipt.looked_at, receipt.changed) == (before, after, 30, 18)
    catalogue = catalogue_for(changed.project.id)
    assert all(explain(o, catalogue).is_current for o in changed.observations())


def test_lists_and_sums_show_the_new_figures_at_once(changed):
    finish(run(changed))
    total = sum(o.total_cost for o in changed.observations())
    assert sum(model.cost for model in list_observed_models(changed.scope, Period.named("all"))) == total


def test_costs_that_clients_sent_stay(changed):
    finish(run(changed))
    sent = [o for o in changed.observations() if o.provided_cost]
    assert len(sent) == 6
    assert {o.total_cost for o in sent} == {D("0.5")}


def test_doing_it_again_changes_nothing(changed):
    finish(run(changed))
    versions = {o.id: o.row_version for o in changed.observations()}
    assert receipt_of(finish(run(changed))).changed == 0
    assert {o.id: o.row_version for o in changed.observations()} == versions


class Killed(BaseException):
    """Ends everything, as SIGKILL does."""


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("number", [1, 3])
def test_killed_midway_and_resumed_gives_the_same(changed, anew, monkeypatch, moment, number):
    total_before = sum(o.total_cost for o in changed.observations())
    real, calls = reprice.store.insert, []

    def insert(**rows):
        calls.append(1)
        if len(calls) == number and moment == "before":
            raise Killed
        real(**rows)
        if len(calls) == number:
            raise Killed

    monkeypatch.setattr(reprice.store, "insert", insert)
    with pytest.raises(Killed):
        finish(run(changed))  # a busy machine needs more than one turn
    assert priced(changed) != anew
    [job] = jobs.Job.objects.filter(project=changed.project)
    finish(job)
    assert job.status == JobStatus.DONE
    assert priced(changed) == anew
    receipt = receipt_of(job)
    total_after = sum(o.total_cost for o in changed.observations())
    assert (receipt.before, receipt.after, receipt.looked_at) == (total_before, total_after, 30)
    assert (receipt.changed, job.done) == (18, 30)


def test_what_clients_send_meanwhile_is_neither_lost_nor_doubled(changed, monkeypatch):
    real = reprice.store.insert
    sent = []

    def insert(**rows):
        real(**rows)
        if not sent:  # between two steps: an update of a call that was just rewritten, and a new call
            sent.append(1)
            late = list(events(count=31))
            late[2]["body"]["name"] = "renamed"
            changed.post("/api/public/ingestion", {"batch": [late[2], late[30]]})

    monkeypatch.setattr(reprice.store, "insert", insert)
    job = run(changed)
    drain.drain()
    finish(job)
    found = changed.observations()
    assert len(found) == len({o.id for o in found}) == 31
    assert {o.id: o.name for o in found}["o002"] == "renamed"
    catalogue = catalogue_for(changed.project.id)
    assert all(explain(o, catalogue).is_current for o in found)


def test_only_the_period_and_the_names_that_were_asked_for(changed):
    since, until = parse_time("2026-11-01T10:10:00Z"), parse_time("2026-11-01T10:20:00Z")
    job = finish(run(changed, Repricing(since, until, ("acme-1",))))
    assert receipt_of(job).looked_at == 4
    catalogue = catalogue_for(changed.project.id)
    current = {o.id for o in changed.observations() if o.usage and explain(o, catalogue).is_current}
    assert {"o013", "o017"} <= current
    assert "o012" not in current
    assert "o003" not in current


def test_the_preview_says_what_would_be_and_writes_nothing(changed):
    stored = priced(changed)
    expected = preview(changed.scope, Repricing())
    assert priced(changed) == stored
    assert not expected.is_estimate
    receipt = receipt_of(finish(run(changed)))
    assert (expected.before, expected.after, expected.calls) == (receipt.before, receipt.after, receipt.looked_at)


def test_a_preview_of_many_is_estimated_from_a_sample(changed, monkeypatch):
    monkeypatch.setattr(recompute, "SAMPLE", 3)
    expected = preview(changed.scope, Repricing(names=("acme-2",)))
    assert expected.is_estimate
    assert expected.after > expected.before


def test_a_preview_does_not_say_nothing_changes_where_tokens_are_yet_to_be_counted(sender):
    send(sender, model="new", count=1)
    model_of(sender, "0.001")
    create_model(
        sender.scope, ModelDefinition("n", "^new$", [flat({"input": D("0.001")})], tokenizer="openai"), actor=SYSTEM
    )
    [expected] = preview(sender.scope, Repricing()).models
    assert (expected.name, expected.after, expected.is_estimate) == ("new", None, True)
    assert receipt_of(finish(run(sender))).after > 0


def test_a_preview_of_more_names_than_it_looks_at_says_so(changed, monkeypatch):
    monkeypatch.setattr(cost, "MOST_NAMES", 2)
    monkeypatch.setattr(recompute, "MOST_NAMES", 2)
    assert preview(changed.scope, Repricing()).is_estimate


def test_a_period_that_ends_before_it_begins_is_refused(changed):
    now, then = parse_time("2026-11-02T00:00:00Z"), parse_time("2026-11-01T00:00:00Z")
    with pytest.raises(Invalid):
        run(changed, Repricing(now, then))


def test_a_price_for_a_name_that_had_none(sender):
    send(sender, count=5)
    create_model(sender.scope, ModelDefinition("new", "^nobody-knows$", [flat({"input": D("0.001")})]), actor=SYSTEM)
    finish(actions.start_recomputation(sender.scope, Repricing(names=("nobody-knows",)), actor=SYSTEM))
    assert {o.id: o.total_cost for o in sender.observations()}["o004"] == D("0.005")
