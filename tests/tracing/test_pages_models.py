"""Settings of a project: model prices; and the account of a cost beside what was traced."""

from __future__ import annotations

import re
from decimal import Decimal
from html import unescape

import pytest
from django.urls import reverse

from tests.factories import make_project
from tests.tracing.page_data import HOSTILE, put_trace
from tracing.actions import jobs
from tracing.analytics import store
from tracing.ingest.enrich import price
from tracing.models import Job, Model, PricingTier
from tracing.pricing import catalogue_for, forget_catalogues
from tracing.pricing.builtin import sync_builtin_models

D = Decimal


@pytest.fixture(autouse=True)
def price_list(workspace, monkeypatch):
    monkeypatch.setattr(jobs, "call_worker", lambda: None)
    sync_builtin_models()
    forget_catalogues()
    yield
    forget_catalogues()


def at(view, project, *more, **query):
    from urllib.parse import urlencode

    return reverse(f"tracing:{view}", args=[project.pk, *more]) + (f"?{urlencode(query)}" if query else "")


def text_of(answer):
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", answer.content.decode())))


def own(project, name="mine", pattern="^mine$", price="0.000001", **fields):
    model = Model.objects.create(project=project, name=name, match_pattern=pattern, **fields)
    PricingTier.objects.create(model=model, name="Standard", is_default=True, prices={"input": price})
    forget_catalogues()
    return model


def traced(project, **fields):
    """A trace with one call, priced as ingestion does it."""
    found = put_trace(project.id, {"type": "GENERATION", **fields})
    call = found.observations[1]
    price(call, catalogue_for(project.id))
    call.row_version += 1
    store.insert(observations=[call])
    return found


FORM = {
    "name": "acme",
    "pattern": "^acme",
    "unit": "TOKENS",
    "per": "million",
    "rows": "2",
    "tiers": "2",
    "kinds-0": "input, prompt_tokens",
    "kinds-1": "output",
    "tier-0": "Standard",
    "tier-1": "Long",
    "price-0-0": "2.5",
    "price-0-1": "5",
    "price-1-0": "10",
    "price-1-1": "15",
    "conditions-1": "1",
    "when-1-0-source": "usage",
    "when-1-0-subject": "^input",
    "when-1-0-op": "gt",
    "when-1-0-value": "200,000",
}


# --- The list ---------------------------------------------------------------------------------------------


def test_the_list_is_searched_narrowed_and_paged(alice, project):
    own(project, "acme-chat")
    page = text_of(alice.get(at("model-list", project)))
    assert "acme-chat" in page
    assert "Model prices" in page
    assert "gpt-4o-mini" in text_of(alice.get(at("model-list", project, q="4O-MINI")))
    only_own = text_of(alice.get(at("model-list", project, kind="own")))
    assert "1 definition" in only_own
    second = alice.get(at("model-list", project, page="2"))
    assert second.status_code == 200
    assert "Previous" in text_of(second)
    assert "No definition has “zzz”" in text_of(alice.get(at("model-list", project, q="zzz")))


@pytest.mark.parametrize(
    "query", [{"page": "x"}, {"page": "-1"}, {"page": "99999"}, {"kind": "?"}, {"input": "x" * 50}]
)
def test_bad_parameters_are_no_error(alice, project, query):
    assert alice.get(at("model-list", project, **query)).status_code == 200


def test_names_without_a_price_are_named_with_the_way_to_one(alice, project):
    put_trace(project.id, {"model": "nobody-1", "usage": {"input": 5}, "total_tokens": 5})
    answer = alice.get(at("model-list", project))
    assert "Usage without a price" in text_of(answer)
    assert at("model-new", project, name="nobody-1") in unescape(answer.content.decode())
    form = alice.get(at("model-new", project, name="nobody-1")).content.decode()
    assert 'value="nobody-1"' in form
    assert 'value="(?i)^nobody-1$"' in form


def test_a_name_is_tried_and_every_definition_and_tier_explained(alice, project):
    own(project, "mine", "^gpt-5")
    own(project, "later", "^gpt-5", start_date="2999-01-01T00:00:00Z")
    page = text_of(alice.get(at("model-list", project, test="gpt-5.4", input="300,000", output="10")))
    assert re.search(r"later the project's own, from 1 Jan 2999 not in force yet", page)
    assert "mine the project's own wins" in page
    assert "gpt-5.4 built in matches too, comes later" in page
    assert "= $0.3" in page
    page = text_of(
        alice.get(
            at("model-list", project, test="gemini-2.5-pro", input="300000", parameter="service_tier", value="batch")
        )
    )
    assert "parameter service_tier (batch) = batch holds" in page
    assert "input = 300,000 > 200,000 holds" in page
    assert "Batch not tried: an earlier one holds" in page
    assert "such calls have no cost" in text_of(alice.get(at("model-list", project, test="gpt-4o-mimi")))


def test_a_part_of_the_page_is_answered_to_who_asks_for_it(alice, project):
    answer = alice.get(at("model-list", project, test="gpt-4o"), headers={"HX-Request": "true", "HX-Target": "match"})
    assert answer.content.decode().lstrip().startswith('<div id="match"')


# --- One definition ---------------------------------------------------------------------------------------


def test_a_built_in_definition_is_read_and_copied_but_not_changed(alice, project):
    model = Model.objects.get(name="claude-sonnet-4", project=None)
    page = text_of(alice.get(at("model-detail", project, model.pk)))
    assert "platform.claude.com" in page
    assert "Long context (> 200k)" in page
    assert "$22.5" in page
    copy = alice.get(at("model-new", project, **{"from": model.pk})).content.decode()
    assert 'value="Batch"' in copy
    assert "cache_read_input_tokens" in copy
    assert alice.get(at("model-edit", project, model=model.pk)).status_code == 404
    assert alice.post(at("model-update", project), {**FORM, "model": model.pk}).status_code == 404
    assert alice.post(at("model-delete", project), {"model": model.pk}).status_code == 404


def test_a_copy_of_any_built_in_definition_can_be_saved_and_prices_alike(alice, project):
    model = Model.objects.get(name="gemini-2.5-pro", project=None)
    form = alice.get(at("model-new", project, **{"from": model.pk})).content.decode()
    fields = {}
    for tag in re.findall(r"<input[^>]*>", form):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        if name:
            fields[name[1]] = unescape(value[1]) if value else ""
    for name, body in re.findall(r'<select[^>]*name="([^"]*)"[^>]*>(.*?)</select>', form, re.S):
        chosen = re.search(r'value="([^"]*)" selected', body)
        fields[name] = chosen[1] if chosen else ""
    assert alice.post(at("model-create", project), {**fields, "do": "save"}).status_code == 303
    copy = Model.objects.get(project=project)
    old = {tier.name: (tier.prices, tier.priority, tier.is_default) for tier in model.tiers.all()}
    new = {tier.name: (tier.prices, tier.priority, tier.is_default) for tier in copy.tiers.all()}
    assert new == old
    assert [tier.conditions for tier in copy.tiers.all()][1][1]["value"] == 200000


# --- Writing ----------------------------------------------------------------------------------------------


def test_a_definition_is_created_changed_and_deleted(alice, project):
    answer = alice.post(at("model-create", project), FORM)
    assert answer.status_code == 303
    model = Model.objects.get(project=project)
    tiers = {tier.name: tier for tier in model.tiers.all()}
    assert tiers["Standard"].prices == {"input": "0.0000025", "prompt_tokens": "0.0000025", "output": "0.00001"}
    assert tiers["Long"].conditions == [
        {"usageDetailPattern": "^input", "operator": "gt", "value": 200000, "caseSensitive": False}
    ]
    assert alice.get(answer["Location"]).status_code == 200
    form = alice.get(at("model-edit", project, model=model.pk)).content.decode()
    assert 'value="2.5"' in form
    changed = {**FORM, "model": model.pk, "price-0-0": "3", "start": "2026-02-01"}
    assert alice.post(at("model-update", project), changed).status_code == 303
    model.refresh_from_db()
    assert model.start_date.isoformat() == "2026-02-01T00:00:00+00:00"
    assert model.tiers.get(is_default=True).prices["input"] == "0.000003"
    assert alice.post(at("model-delete", project), {"model": model.pk}).status_code == 303
    assert not Model.objects.filter(project=project).exists()


def test_several_definitions_over_time_may_have_one_name(alice, project):
    assert alice.post(at("model-create", project), FORM).status_code == 303
    assert alice.post(at("model-create", project), {**FORM, "start": "2026-06-01"}).status_code == 303
    again = alice.post(at("model-create", project), {**FORM, "start": "2026-06-01"})
    assert again.status_code == 422
    assert "begins on the same day" in text_of(again)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": ""}, "Give it a name."),
        ({"name": "x" * 300}, "at most 255 characters"),
        ({"pattern": ""}, "Say which model names"),
        ({"pattern": "(("}, "Not a valid regular expression"),
        ({"pattern": "(?=a)"}, "look-around"),
        ({"pattern": "x" * 1001}, "longer than 1000"),
        ({"price-0-0": "-1"}, "A price is not negative."),
        ({"price-0-0": "a lot"}, "Write a number"),
        ({"price-0-0": "NaN"}, "Write a number"),
        ({"price-0-0": "1e99"}, "too much to be true"),
        ({"price-1-1": ""}, "A price, or 0."),
        ({"kinds-0": "", "kinds-1": "", **{f"price-{r}-{t}": "" for r in "01" for t in "01"}}, "at least one kind"),
        ({"kinds-1": "input"}, "“input” has a price already."),
        ({"kinds-0": ""}, "Which kind of usage"),
        ({"tier-1": ""}, "Give the tier a name."),
        ({"tier-1": "Standard"}, "Another tier has this name."),
        ({"when-1-0-subject": "", "when-1-0-value": ""}, "at least one condition"),
        ({"when-1-0-value": "many"}, "Compare with a number"),
        ({"when-1-0-subject": "(("}, "Not a valid regular expression"),
        ({"when-1-0-source": "stars"}, "Choose what is looked at."),
        ({"start": "soon"}, "Write a day as 2026-01-31."),
        ({"start": "0001-01-01"}, "between 2000 and 2199"),
        ({"unit": "PARSEC"}, "Choose a unit."),
        ({"tokenizer_config": "["}, "Write a JSON object"),
    ],
)
def test_what_is_wrong_is_said_in_place_and_nothing_is_saved(alice, project, fields, said):
    answer = alice.post(at("model-create", project), {**FORM, **fields})
    assert answer.status_code == 422
    assert said in text_of(answer)
    assert not Model.objects.filter(project=project).exists()


@pytest.mark.parametrize(
    ("wish", "present", "absent"),
    [
        ("add-row", 'name="kinds-2"', 'name="kinds-3"'),
        ("add-tier", 'name="tier-2"', 'name="tier-3"'),
        ("add-condition:1", 'name="when-1-1-value"', 'name="when-1-2-value"'),
        ("remove-row:0", 'value="output"', 'value="input, prompt_tokens"'),
        ("remove-tier:1", 'name="tier-0"', 'name="tier-1"'),
        ("remove-condition:1.0", 'name="tier-1"', 'name="when-1-0-value"'),
        ("remove-tier:0", 'name="tier-1"', 'name="tier-2"'),
        ("remove-row:77", 'name="kinds-1"', 'name="kinds-2"'),
        ("nonsense", 'name="kinds-1"', 'name="kinds-2"'),
    ],
)
def test_the_form_grows_and_shrinks_without_a_script(alice, project, wish, present, absent):
    page = alice.post(at("model-create", project), {**FORM, "do": wish})
    assert page.status_code == 200
    assert present in page.content.decode()
    assert absent not in page.content.decode()
    assert not Model.objects.filter(project=project).exists()


def test_a_pattern_is_tried_while_it_is_written(alice, project):
    assert "does not match" in text_of(alice.post(at("model-create", project), {**FORM, "do": "try", "try": "gpt"}))
    assert re.search(
        r"\bmatches\b", text_of(alice.post(at("model-create", project), {**FORM, "do": "try", "try": "acme-2"}))
    )


def test_a_hostile_definition_is_shown_as_text(alice, project):
    model = own(project, HOSTILE, "^x$")
    for address in (
        at("model-list", project),
        at("model-detail", project, model.pk),
        at("model-edit", project, model=model.pk),
    ):
        assert "<script>alert" not in alice.get(address).content.decode()


# --- Who may ----------------------------------------------------------------------------------------------


def test_viewers_read_and_change_nothing(bob, project):
    model = own(project)
    page = bob.get(at("model-list", project))
    assert page.status_code == 200
    assert "Add a model" not in text_of(page)
    detail = text_of(bob.get(at("model-detail", project, model.pk)))
    assert "Edit" not in detail
    assert "Delete" not in detail
    assert "Members of the project can start it." in text_of(put_and_look(bob, project))
    for view in ("model-create", "model-update", "model-delete", "model-recompute-start"):
        assert bob.post(at(view, project), {**FORM, "model": model.pk}).status_code == 403
    assert bob.get(at("model-new", project)).status_code == 403
    assert Model.objects.filter(project=project).count() == 1


def put_and_look(client, project):
    put_trace(project.id, {"model": "mine", "usage": {"input": 7}, "total_tokens": 7})
    return client.get(at("model-recompute", project))


def test_strangers_see_nothing(charlie, workspace, project):
    model = own(project)
    for view, query in (
        ("model-list", {}),
        ("model-new", {}),
        ("model-recompute", {}),
        ("model-edit", {"model": model.pk}),
    ):
        assert charlie.get(at(view, project, **query)).status_code == 404
    assert charlie.get(at("model-detail", project, model.pk)).status_code == 404
    assert charlie.post(at("model-create", project), FORM).status_code == 404


def test_another_projects_definition_is_not_there(alice, project):
    foreign = own(make_project(), "foreign")
    assert alice.get(at("model-detail", project, foreign.pk)).status_code == 404
    assert alice.post(at("model-delete", project), {"model": foreign.pk}).status_code == 404
    assert Model.objects.filter(pk=foreign.pk).exists()
    assert "foreign" not in text_of(alice.get(at("model-list", project, q="foreign", kind="own"))).replace(
        "“foreign”", ""
    )


# --- The account of a cost --------------------------------------------------------------------------------


def pane(client, project, found):
    return text_of(client.get(at("trace-detail", project, found.id, observation=found.observations[1].id)))


def test_the_pane_explains_every_line_of_a_cost(alice, project):
    usage = {"input": 150_000, "input_cached_tokens": 60_000, "output": 1000, "rays": 3}
    page = pane(alice, project, traced(project, model="gemini-2.5-pro", provided_usage=usage))
    for part in (
        "input 150,000 $2.5 $0.375",
        "input_cached_tokens 60,000 $0.25 $0.015",
        "output 1,000 $15 $0.015",
        "rays 3 no price —",
        "Total 211,003 $0.405",
        "One kind has no price and is not in the cost.",
        "Sent by the client.",
        "Each is counted in one kind only",
        "gemini-2.5-pro built in",
        "input + input_cached_tokens = 210,000 > 200,000 holds",
        "parameter service_tier (not set) = batch does not hold",
    ):
        assert part in page, part


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"provided_usage": {"input": 5}}, "the client named no model"),
        ({"model": "gpt-4o-mimi", "provided_usage": {"input": 5}}, "no definition matches this model name. Nearest:"),
        ({"model": "gemini-2.5-pro"}, "this model has no tokenizer"),
        ({"model": "gpt-4o", "level": "ERROR"}, "the call failed"),
        ({"model": "gpt-4o", "provided_usage": {"seconds": 5}}, "no price for these kinds"),
        ({"model": "gpt-4o", "input": "hello"}, "with the tokenizer “openai”"),
        ({"model": "claude-sonnet-5", "input": "hello"}, "there is no public tokenizer"),
    ],
)
def test_the_pane_says_why_there_is_no_cost_and_who_counted(alice, project, fields, said):
    assert said in pane(alice, project, traced(project, **fields))


def test_the_pane_says_that_the_client_sent_the_cost(alice, project):
    found = traced(project, model="gpt-4o", provided_usage={"input": 1000}, provided_cost={"total": D("0.5")})
    page = pane(alice, project, found)
    assert "The client sent it, so it stands" in page
    assert "By the price below it would be $0.0025." in page


def test_the_pane_says_that_prices_changed_and_offers_to_recompute(alice, project):
    model = own(project)
    found = traced(project, model="mine", provided_usage={"input": 1000})
    assert "prices changed since" not in pane(alice, project, found)
    model.tiers.update(prices={"input": "0.000002"})
    forget_catalogues()
    page = pane(alice, project, found)
    assert "prices changed since" in page
    assert "By those of now it would be $0.002." in page
    assert "input 1,000 $1 $0.001" in page


def test_the_traces_cost_is_a_page_and_its_warning_a_fact(alice, project):
    found = put_trace(
        project.id,
        {"model": "gpt-4o", "usage": {"input": 1000}, "cost": {"input": D("0.0025"), "total": D("0.0025")},
         "total_cost": D("0.0025"), "total_tokens": 1000},
        {"model": "nobody", "usage": {"input": 7}, "total_tokens": 7},
    )  # fmt: skip
    facts = alice.get(at("trace-detail", project, found.id))
    assert "1 call without a price" in text_of(facts)
    page = text_of(alice.get(at("trace-cost", project, trace=found.id)))
    assert "input 1,000 $2.5 $0.0025" in page
    assert "One model has no price" in page
    assert alice.get(at("trace-cost", project, trace="x")).status_code == 404
    bare = put_trace(project.id)
    assert "Nothing was paid for" in text_of(alice.get(at("trace-cost", project, trace=bare.id)))


# --- Recomputing ------------------------------------------------------------------------------------------


def test_history_is_looked_at_recomputed_and_accounted_for(alice, project):
    model = own(project)
    traced(project, model="mine", provided_usage={"input": 1_000_000})
    model.tiers.update(prices={"input": "0.000003"})
    ahead = text_of(alice.get(at("model-recompute", project, name="mine", range="7d")))
    assert "mine 1 $1.00 $3.00 $2.00" in ahead
    answer = alice.post(at("model-recompute-start", project), {"name": "mine", "range": "7d"})
    assert answer.status_code == 303
    job = Job.objects.get(project=project)
    for _ in range(20):  # what one turn leaves is the worker's
        if job.is_unfinished:
            jobs.run_job(job)
            job.refresh_from_db()
    assert job.status == "done"
    receipt = text_of(alice.get(answer["Location"]))
    assert "mine 1 1 $1 $3" in receipt
    assert "same" in text_of(alice.get(at("model-recompute", project, name="mine", range="7d")))
    assert "Choose a longer time" in text_of(alice.get(at("model-recompute", project, name="nobody", range="x")))
