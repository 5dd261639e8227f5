"""Pages of evaluators, rules and judgements, asked for by the Django client: what they show, what forms do, whose they
are, and what is said to nonsense."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import unescape
from urllib.parse import quote

import orjson
import pytest
from django.urls import reverse
from django.utils import timezone
from jsonpath import findall

from accounts.access import scope_for_task
from accounts.audit import SYSTEM
from evals.actions.evaluators import EvaluatorFields, create_evaluator, pause_for, save_version, set_default_model
from evals.actions.rules import RuleFields, create_rule
from evals.judging.schedules import Schedule, schedule_of
from evals.judging.templates import get_template, templates
from evals.models import Evaluator, EvaluatorStatus, Judgement, JudgementStatus, Rule, Trial
from evals.queries.evaluators import default_model, latest_of
from evals.views.judging.tree import child_path, sample_tree
from tests.evals.forms_read import Fields, fields_of
from tests.factories import make_project
from tests.prompts.playground import connect
from tests.tracing.page_data import HOSTILE, put_trace
from tracing.models.jobs import Job

pytestmark = [pytest.mark.usefixtures("analytics_server")]

NUMERIC = {"dataType": "NUMERIC", "minValue": 0, "maxValue": 1}
MESSAGES = [{"role": "user", "content": "Rate {{answer}}."}]
MAPPING = [{"variable": "answer", "source": "output"}]


@pytest.fixture
def scope(project):
    return scope_for_task(project.pk)


@pytest.fixture
def connection(project):
    return connect(project, None, custom_models=["judge"], with_default_models=False)


@pytest.fixture
def evaluator(scope):
    return create_evaluator(scope, fields(), actor=SYSTEM)


@pytest.fixture
def rule(scope, evaluator):
    return create_rule(scope, RuleFields("all answers", assignments=[(evaluator.pk, None)]), actor=SYSTEM)


def fields(name="quality", **changes):
    said = {"messages": MESSAGES, "output": NUMERIC, "mapping": MAPPING}
    return EvaluatorFields(name, **{**said, **changes})


def judgement(evaluator, rule=None, number=0, **columns):
    said = {
        "status": JudgementStatus.DONE, "value": "0.5", "reasoning": "Because.", "trace_id": f"t{number}",
        "target": "trace", "origin": "live", "due_at": timezone.now(), "score_id": f"s{number}",
    }  # fmt: skip
    id_ = f"j{number}-{evaluator.pk[:8]}"
    return Judgement.objects.create(
        id=id_, project_id=evaluator.project_id, evaluator=evaluator, rule=rule, **{**said, **columns}
    )


def at(page, project, *arguments):
    return reverse(f"evals:{page}", args=[project.pk, *arguments])


def text_of(answer):
    """What a page says, with one space between words."""
    bare = re.sub(r"<template.*?</template>|<script.*?</script>|<[^>]*>", " ", answer.content.decode(), flags=re.DOTALL)
    return " ".join(unescape(bare).split())


def editor(client, project, query="", page="evaluator-new", *arguments) -> Fields:
    answer = client.get(f"{at(page, project, *arguments)}{query}")
    assert answer.status_code == 200, text_of(answer)
    return fields_of(answer.content.decode(), "evaluator")


# --- The gallery ------------------------------------------------------------------------------------------
def test_the_gallery_is_searched_by_kind_and_words_and_shows_a_judge_whole(alice, project):
    page = at("evaluator-gallery", project)
    every = text_of(alice.get(page))
    assert all(one.title in every for one in templates())
    safety = text_of(alice.get(f"{page}?category=safety"))
    assert "Toxicity" in safety
    assert "Faithfulness" not in safety
    assert "no guardrails" in safety
    found = text_of(alice.get(f"{page}?q=context+retrieval"))
    assert "Context recall" in found
    assert "Toxicity" not in found
    assert "No judge of this kind" in text_of(alice.get(f"{page}?q=nothing+at+all"))
    shown = text_of(alice.get(f"{page}?template=tone"))
    for words in (get_template("tone").not_for, "sells, urges, flatters or moralises", "{{answer}}"):
        assert words in shown
    assert alice.get(f"{page}?template=nonsense").status_code == 404


@pytest.mark.parametrize("key", [one.key for one in templates()])
def test_each_judge_of_the_gallery_can_be_saved_as_it_is(alice, project, key):
    form = editor(alice, project, f"?template={key}")
    answer = alice.post(at("evaluator-save", project), {**form, "do": "save"})
    assert answer.status_code == 303, text_of(answer)
    saved = latest_of(Evaluator.objects.get())
    template = get_template(key)
    assert (saved.messages, saved.source_code) == (template.messages, template.source_code)
    assert [entry["variable"] for entry in saved.mapping or ()] == [entry["variable"] for entry in template.mapping]
    assert {name: value for name, value in (saved.output or {}).items() if value} == {
        name: value for name, value in template.output.items() if value
    }
    assert saved.evaluator.template == key


# --- The editor -------------------------------------------------------------------------------------------
def test_what_is_wrong_is_said_in_place_and_what_was_typed_stays(alice, project):
    form = editor(alice, project)
    form |= {
        "name": [""], "content": ["Rate {{answer}}", "and {{other}}"], "role": ["system", "user"],
        "variable": ["answer", "other"], "source": ["output", ""], "path": ["no path", ""],
        "data_type": ["NUMERIC"], "min_value": ["2"], "max_value": ["much"],
    }  # fmt: skip
    answer = alice.post(at("evaluator-save", project), {**form, "do": "save"})
    assert answer.status_code == 422
    assert "“much” is no number." in text_of(answer)
    form["max_value"] = ["1"]
    answer = alice.post(at("evaluator-save", project), {**form, "do": "save"})
    said = text_of(answer)
    assert answer.status_code == 422
    for words in ("A name has 1 to 255 characters.", "The largest value has to be above", "A path begins with $"):
        assert words in said
    again = fields_of(answer.content.decode(), "evaluator")
    assert again["content"] == form["content"]
    assert again["path"] == ["no path", ""]
    assert not Evaluator.objects.exists()


def test_rows_come_and_go_without_a_script(alice, project):
    form = editor(alice, project)
    more = alice.post(at("evaluator-save", project), {**form, "do": "add-message"})
    grown = fields_of(more.content.decode(), "evaluator")
    assert len(grown["role"]) == len(form["role"]) + 1
    less = alice.post(at("evaluator-save", project), {**grown, "do": "remove:0"})
    assert len(fields_of(less.content.decode(), "evaluator")["role"]) == len(form["role"])
    categories = alice.post(at("evaluator-save", project), {**form, "do": "add-category"})
    assert len(fields_of(categories.content.decode(), "evaluator")["category"]) == 3
    for nonsense in ("remove:99", "up:x", "down:-1", "remove-category:", "sample:%%", "next", "previous", "\x00"):
        assert alice.post(at("evaluator-save", project), {**form, "do": nonsense}).status_code == 200


def test_variables_show_what_they_are_in_the_sample(alice, project):
    root = {
        "type": "GENERATION",
        "name": "answer",
        "input": "How?",
        "output": '{"reply": {"text": "So."}, "n": [1, 2]}',
    }
    put_trace(project.pk, name="chat", root=root)
    form = editor(alice, project)
    form |= {"content": ["", "{{question}} {{reply}} {{gone}}"]}
    form |= {"variable": ["question", "reply", "gone"], "source": ["input", "output", "output"]}
    form |= {"path": ["", "$.reply.text", "$.nothing"]}
    answer = alice.post(at("evaluator-save", project), {**form, "do": "refresh"})
    page = answer.content.decode()
    states = dict(re.findall(r'id="preview-(\w+)" data-state="(\w+)"', page))
    assert states == {"question": "mapped", "reply": "mapped", "gone": "nothing"}
    assert re.search(r'id="preview-reply".*?<code>So\.</code>', page)
    assert "$.nothing finds nothing in “output”." in text_of(answer)
    # Places of the sample to click on, with their paths.
    for path in ("$.reply.text", "$.n[1]", "$.reply"):
        assert f'data-source="output" data-path="{path}"' in page


def test_samples_are_of_the_chosen_kind_and_of_a_part_of_their_name(alice, project):
    at_first = datetime.now(UTC) - timedelta(minutes=10)
    put_trace(project.pk, name="first", root={"output": "one"}, session_id="s-1", at=at_first)
    put_trace(project.pk, name="second", root={"output": "two"}, session_id="s-2")
    form = editor(alice, project, "?target=trace")
    url = at("evaluator-save", project)
    newest = alice.post(url, {**form, "do": "refresh"})
    assert "second" in text_of(newest)
    key = fields_of(newest.content.decode(), "evaluator")["sample"]
    after = fields_of(alice.post(url, {**form, "sample": key, "do": "next"}).content.decode(), "evaluator")["sample"]
    assert after != key
    back = alice.post(url, {**form, "sample": after, "do": "previous"}).content.decode()
    assert fields_of(back, "evaluator")["sample"] == key
    # The address that a reload asks for shows the same one.
    assert editor(alice, project, f"?target=trace&sample={after[0]}")["sample"] == after
    found = alice.post(url, {**form, "sample": "", "sample_name": "fir", "do": "refresh"}).content.decode()
    assert fields_of(found, "evaluator")["sample"] == after
    assert "Nothing has this in its name." in text_of(alice.post(url, {**form, "sample_name": "zzz", "do": "refresh"}))
    session = alice.post(url, {**form, "sample": "", "target": "session", "do": "refresh"})
    assert "s-2" in text_of(session)
    assert 'data-source="conversation"' in session.content.decode()


def test_a_sample_of_another_project_is_not_shown(alice, project):
    other = make_project("Elsewhere")
    secret = put_trace(other.pk, name="secret-name", root={"output": "secret words"})
    form = editor(alice, project)
    stolen = f"{secret.id}~{secret.observations[0].id}~~"
    early = f"a~b~~{quote('0001-01-01T00:00:00+14:00')}"
    assert alice.post(at("evaluator-save", project), {**form, "sample": early, "do": "refresh"}).status_code == 200
    answer = alice.post(at("evaluator-save", project), {**form, "sample": stolen, "do": "refresh"})
    assert answer.status_code == 200
    assert "secret" not in answer.content.decode()
    tested = alice.post(at("evaluator-save", project), {**form, "sample": "nonsense", "do": "test"})
    assert "There is nothing to try it on" in text_of(tested)


def test_a_test_is_started_for_what_is_typed_and_saves_nothing(alice, project, connection):
    put_trace(project.pk, name="chat", root={"name": "answer", "output": "So."})
    form = editor(alice, project, "?template=helpfulness")
    form |= {"provider": ["stub"], "model": ["judge"], "make_default": ["1"]}
    answer = alice.post(at("evaluator-save", project), {**form, "do": "test"})
    trial = Trial.objects.get()
    assert answer.status_code == 200, text_of(answer)
    assert fields_of(answer.content.decode(), "evaluator")["trial"] == [trial.pk]
    said = orjson.loads(trial.definition_text)
    assert said["messages"] == get_template("helpfulness").messages
    assert not Evaluator.objects.exists()
    status = at("evaluator-trial", project, trial.pk)
    assert "hx-trigger" in alice.get(status).content.decode()
    log = [
        {"way": "schema", "seconds": 0.5, "status": 200, "request": {"model": "judge"}, "response": "{}", "problem": ""}
    ]
    done = {"status": "done", "value": "4", "reasoning": HOSTILE, "cost": Decimal("0.0012")}
    Trial.objects.update(**done, log_text=orjson.dumps(log).decode())
    page = alice.get(status)
    assert 'hx-trigger="every' not in page.content.decode()
    assert HOSTILE not in page.content.decode()
    for words in ("Done", "4", "with a JSON schema", '"model": "judge"'):
        assert words in text_of(page)
    assert alice.get(at("evaluator-trial", project, "nothing")).status_code == 404


def test_a_model_is_made_the_default_of_the_project_where_it_is_chosen(alice, project, scope, connection):
    form = editor(alice, project, "?template=topic")
    form |= {"provider": ["stub"], "model": ["judge"], "temperature": ["0,2"], "make_default": ["1"]}
    assert alice.post(at("evaluator-save", project), {**form, "do": "save"}).status_code == 303
    assert default_model(scope) == {"provider": "stub", "model": "judge", "parameters": {"temperature": 0.2}}
    assert latest_of(Evaluator.objects.get()).model is None
    # And on a page of its own.
    page = at("evaluator-default-model", project)
    assert "judge" in alice.get(page).content.decode()
    wrong = alice.post(f"{page}save/", {"provider": "", "model": ""})
    assert (wrong.status_code, "Choose a connection" in text_of(wrong)) == (422, True)
    assert alice.post(f"{page}save/", {"provider": "stub", "model": "other"}).status_code == 303
    assert default_model(scope)["model"] == "other"


def test_a_default_is_not_changed_by_what_is_refused(alice, project, scope, evaluator, connection):
    pause_for(evaluator, "no_model", "No model.")
    form = editor(alice, project, "?template=topic")
    form |= {"provider": ["stub"], "model": ["judge"], "make_default": ["1"], "name": [""]}
    assert alice.post(at("evaluator-save", project), {**form, "do": "save"}).status_code == 422
    assert default_model(scope) is None
    evaluator.refresh_from_db()
    assert evaluator.status == EvaluatorStatus.PAUSED


def test_parameters_that_the_form_does_not_show_are_kept(alice, project, scope, connection):
    put_trace(project.pk, name="chat", root={"name": "answer", "output": "So."})
    set_ = {"temperature": 0.123456789, "top_p": 0.5, "seed": 1234567}
    model = {"provider": "stub", "model": "judge", "parameters": set_}
    evaluator = create_evaluator(scope, fields(model=model), actor=SYSTEM)
    form = editor(alice, project, "", "evaluator-edit", evaluator.pk)
    tested = alice.post(at("evaluator-save", project), {**form, "do": "test"})
    assert orjson.loads(Trial.objects.get().definition_text)["model"]["parameters"] == set_
    form = fields_of(tested.content.decode(), "evaluator") | {"content": ["Rate {{answer}} well."]}
    assert alice.post(at("evaluator-save", project), {**form, "do": "save"}).status_code == 303
    latest = latest_of(evaluator)
    assert (latest.number, latest.model["parameters"]) == (2, set_)
    for nonsense in ("[", "[1]", '{"seed": "x"}'):
        answer = alice.post(at("evaluator-save", project), {**form, "parameters": nonsense, "do": "test"})
        assert answer.status_code in (200, 422), nonsense
    # And those of the default model.
    set_default_model(scope, "stub", "judge", set_, actor=SYSTEM)
    page = at("evaluator-default-model", project)
    form = fields_of(alice.get(page).content.decode(), "default-model") | {"model": ["other"]}
    assert alice.post(f"{page}save/", form).status_code == 303
    assert default_model(scope) == {"provider": "stub", "model": "other", "parameters": set_}


# --- Code -------------------------------------------------------------------------------------------------
SOURCE = "def evaluate(output):\n    # no <b>word</b>\n    return 'sorry' not in output\n"


def test_code_is_written_saved_changed_and_shown(alice, project):
    gallery = text_of(alice.get(f"{at('evaluator-gallery', project)}?category=code&template=valid-json"))
    assert "json.loads(output)" in gallery
    form = editor(alice, project, "?kind=code")
    page = alice.get(f"{at('evaluator-new', project)}?kind=code")
    for words in ("What evaluate gets and returns", "tool_calls", "five seconds, 128 MiB"):
        assert words in text_of(page)
    assert "data_type" not in form
    form |= {"name": ["no apology"], "source_code": [SOURCE.replace("\n", "\r\n")]}
    answer = alice.post(at("evaluator-save", project), {**form, "do": "save"})
    assert answer.status_code == 303, text_of(answer)
    evaluator = Evaluator.objects.get()
    saved = latest_of(evaluator)
    assert (evaluator.kind, saved.source_code, saved.source_language) == ("code", SOURCE, "PYTHON")
    shown = alice.get(answer["Location"])
    assert '<span class="k">return</span> <span class="s">&#x27;sorry&#x27;</span>' in shown.content.decode()
    assert '<span class="c"># no &lt;b&gt;word&lt;/b&gt;</span>' in shown.content.decode()
    form = editor(alice, project, "", "evaluator-edit", evaluator.pk)
    form["source_code"] = [SOURCE.replace("sorry", "unfortunately")]
    assert alice.post(at("evaluator-save", project), {**form, "do": "save"}).status_code == 303
    compared = text_of(alice.get(f"{at('evaluator-detail', project, evaluator.pk)}?version=2&compare=1"))
    assert "What it computes" in compared
    assert "unfortunately" in compared
    assert "sorry" in compared
    copied = editor(alice, project, f"?from={evaluator.pk}&version=1")
    assert copied["source_code"] == [SOURCE]


@pytest.mark.parametrize(
    ("source", "line", "said"),
    [
        ("def evaluate(output):\n    return (1", 2, "Line 2: The code cannot be read"),
        ("\n\ndef evaluate(answer):\n    return 1", 3, "Line 3: evaluate can be given input, output"),
        ("def judge(output):\n    return 1", None, "The code has no function called evaluate."),
        ("   ", None, "Write the function"),
    ],
)
def test_code_that_cannot_run_is_not_saved_and_says_where(alice, project, source, line, said):
    put_trace(project.pk, root={"type": "GENERATION"})
    form = editor(alice, project, "?kind=code") | {"name": ["broken"], "source_code": [source]}
    for wish in ("save", "test"):
        answer = alice.post(at("evaluator-save", project), {**form, "do": wish})
        assert answer.status_code == 422
        assert said in text_of(answer)
        assert (f'data-wrong-line="{line}"' in answer.content.decode()) is (line is not None)
    assert fields_of(answer.content.decode(), "evaluator")["source_code"] == [source]
    assert not Evaluator.objects.exists()
    assert not Trial.objects.exists()


def test_code_is_tried_on_a_sample(alice, bob, project):
    put_trace(project.pk, root={"type": "GENERATION", "output": "I am sorry."})
    form = editor(alice, project, "?kind=code") | {"source_code": [SOURCE]}
    answer = alice.post(at("evaluator-save", project), {**form, "do": "test"})
    assert answer.status_code == 200, text_of(answer)
    trial = Trial.objects.get()
    assert SOURCE in orjson.loads(trial.definition_text)["source_code"]
    assert bob.get(f"{at('evaluator-new', project)}?kind=code").status_code == 403


def test_what_code_is_for_is_told_by_what_it_is_given(alice, project, scope):
    for source, target in (("trace", "trace"), ("conversation", "session"), ("expected_output", "experiment")):
        made = create_evaluator(
            scope, EvaluatorFields(source, kind="code", source_code=f"def evaluate({source}):\n    return 1\n",
                                   source_language="PYTHON"), actor=SYSTEM,
        )  # fmt: skip
        page = alice.get(at("evaluator-detail", project, made.pk)).content.decode()
        assert f"target={target}" in page


# --- Versions ---------------------------------------------------------------------------------------------
def test_an_edit_is_a_version_and_somebody_elses_is_noticed(alice, project, scope, evaluator):
    form = editor(alice, project, "", "evaluator-edit", evaluator.pk)
    assert form["base"] == ["1"]
    form["content"] = ["Rate {{answer}} strictly."]
    save_version(
        scope, evaluator.pk, fields(messages=[{"role": "user", "content": "Mine {{answer}}"}]), actor=SYSTEM, based_on=1
    )
    answer = alice.post(at("evaluator-save", project), {**form, "do": "save"})
    assert answer.status_code == 422
    assert "Somebody else saved meanwhile." in text_of(answer)
    assert latest_of(evaluator).number == 2
    again = fields_of(answer.content.decode(), "evaluator")
    assert alice.post(at("evaluator-save", project), {**again, "do": "save-anyway"}).status_code == 303
    latest = latest_of(evaluator)
    assert (latest.number, latest.messages[0]["content"]) == (3, "Rate {{answer}} strictly.")
    # A new name alone is no new version.
    form = editor(alice, project, "", "evaluator-edit", evaluator.pk)
    assert alice.post(at("evaluator-save", project), {**form, "name": "renamed", "do": "save"}).status_code == 303
    evaluator.refresh_from_db()
    assert (evaluator.name, latest_of(evaluator).number) == ("renamed", 3)


def test_versions_are_compared_and_an_old_one_is_restored_as_a_new_one(alice, project, scope, evaluator):
    save_version(
        scope,
        evaluator.pk,
        fields(messages=[{"role": "user", "content": "Other {{answer}}"}]),
        actor=SYSTEM,
        based_on=1,
    )
    page = at("evaluator-detail", project, evaluator.pk)
    compared = alice.get(f"{page}?version=2&compare=1")
    assert "From v1 to v2" in text_of(compared)
    assert "<mark>" in compared.content.decode()
    assert "Restore v1 as new" in text_of(alice.get(f"{page}?version=1"))
    form = editor(alice, project, "?version=1", "evaluator-edit", evaluator.pk)
    assert form["base"] == ["2"]
    assert alice.post(at("evaluator-save", project), {**form, "do": "save"}).status_code == 303
    assert (latest_of(evaluator).number, latest_of(evaluator).messages) == (3, MESSAGES)
    for nonsense in ("?version=9", "?version=x", "?compare=0"):
        assert alice.get(f"{page}{nonsense}").status_code == 404


def test_a_copy_is_another_evaluator(alice, project, evaluator):
    form = editor(alice, project, f"?from={evaluator.pk}")
    assert alice.post(at("evaluator-save", project), {**form, "do": "save"}).status_code == 303
    copy = Evaluator.objects.exclude(pk=evaluator.pk).get()
    assert (copy.name, latest_of(copy).messages) == ("quality, copy", MESSAGES)


# --- The list, pausing, deleting --------------------------------------------------------------------------
def test_the_list_says_how_evaluators_do(alice, project, scope, evaluator, rule, django_assert_max_num_queries):
    set_default_model(scope, "stub", "judge-x", {}, actor=SYSTEM)
    judgement(evaluator, rule, 1, ended_at=timezone.now(), cost=Decimal("0.02"))
    judgement(evaluator, rule, 2, status=JudgementStatus.FAILED, problem="The provider has a problem")
    with django_assert_max_num_queries(30):
        answer = alice.get(at("evaluator-list", project))
    said = text_of(answer)
    for words in ("quality", "no rule", "all answers", "judge-x", "$0.02"):
        assert words in said
    dots = re.findall(r'class="dot (\w+)" href="([^"]+)"', answer.content.decode())
    assert [look for look, _url in dots] == ["good", "level"]
    assert alice.get(dots[0][1]).status_code == 200
    assert "Nothing fits" in text_of(alice.get(f"{at('evaluator-list', project)}?q=zzz"))
    for number in range(3):
        create_evaluator(scope, fields(f"more {number}"), actor=SYSTEM)
    with django_assert_max_num_queries(30):
        alice.get(at("evaluator-list", project))


def test_a_paused_one_says_what_is_wrong_and_is_resumed(alice, bob, project, evaluator, rule):
    pause_for(evaluator, "key", f"The key was refused. {HOSTILE}")
    pages = ("evaluator-list", "rule-list", "judgement-list")
    for page in (
        *(at(name, project) for name in pages),
        at("evaluator-detail", project, evaluator.pk),
        at("rule-detail", project, rule.pk),
    ):
        answer = alice.get(page)
        assert "The key was refused." in text_of(answer), page
        assert HOSTILE not in answer.content.decode()
        assert reverse("prompts:connection-list", args=[project.pk]) in answer.content.decode()
        assert "Resume" in text_of(answer)
        assert ">Resume</button>" not in bob.get(page).content.decode().replace("\n", "")
    back = alice.post(at("evaluator-switch", project), {"evaluator": evaluator.pk, "on": "1", "page": "evaluator-list"})
    assert (back.status_code, back["Location"]) == (303, at("evaluator-list", project))
    evaluator.refresh_from_db()
    assert evaluator.status == EvaluatorStatus.ACTIVE
    alice.post(at("evaluator-switch", project), {"evaluator": evaluator.pk})
    evaluator.refresh_from_db()
    assert evaluator.status == EvaluatorStatus.PAUSED


def test_one_that_a_rule_uses_is_not_deleted(alice, project, scope, evaluator, rule):
    alice.post(at("rule-switch", project), {"rule": rule.pk, "on": "1"})
    page = f"{at('evaluator-delete', project)}?evaluator={evaluator.pk}"
    assert "Switch these rules off first" in text_of(alice.get(page))
    refused = alice.post(at("evaluator-delete-confirm", project), {"evaluator": evaluator.pk})
    assert refused.status_code == 409
    assert Evaluator.objects.exists()
    alice.post(at("rule-switch", project), {"rule": rule.pk})
    assert alice.post(at("evaluator-delete-confirm", project), {"evaluator": evaluator.pk}).status_code == 303
    assert not Evaluator.objects.exists()


# --- Rules ------------------------------------------------------------------------------------------------
def rule_form(client, project, query="", page="rule-new", *arguments) -> Fields:
    answer = client.get(f"{at(page, project, *arguments)}{query}")
    assert answer.status_code == 200, text_of(answer)
    return fields_of(answer.content.decode(), "rule")


def test_a_rule_is_made_with_all_that_it_can_say(alice, project, evaluator):
    form = rule_form(alice, project, f"?evaluator={evaluator.pk}&target=session")
    assert form["evaluator"] == [evaluator.pk]
    assert (form["delay"], form["unit"]) == (["30"], ["m"])
    form |= {
        "name": ["nightly"], "target": ["trace"], "percent": ["0,01"], "delay": ["1.5"], "unit": ["h"], "cap": ["2.5"],
        "column": ["environment", "tags", "totalCost"], "operator": ["any of", "all of", ">"],
        "condition": ["production, staging", "a", "0.5"], "key": ["", "", ""], "raw": ["", "", ""],
        "rhythm": ["weekly"], "time": ["03:30"], "weekday": ["5"], "timezone": ["Europe/Berlin"],
        "window": ["last_7_days"], "sample": ["40"],
    }  # fmt: skip
    answer = alice.post(at("rule-save", project), {**form, "do": "activate"})
    assert answer.status_code == 303, text_of(answer)
    rule = Rule.objects.get()
    assert (rule.name, rule.target, rule.sampling, rule.delay_seconds, rule.daily_cap, rule.is_enabled) == (
        "nightly", "trace", 0.0001, 5400, Decimal("2.5"), True,
    )  # fmt: skip
    assert rule.filter == [
        {"type": "stringOptions", "column": "environment", "operator": "any of", "value": ["production", "staging"]},
        {"type": "arrayOptions", "column": "tags", "operator": "all of", "value": ["a"]},
        {"type": "number", "column": "totalCost", "operator": ">", "value": 0.5},
    ]
    assert schedule_of(rule) == Schedule("30 3 * * 5", "Europe/Berlin", "last_7_days", 40)
    shown = text_of(alice.get(answer["Location"]))
    for words in ("0.01", "90 minutes", "every Friday at 03:30", "$2.50", "production, staging"):
        assert words in shown
    # What the form shows of it is what it was; saved again it stays the same, and on.
    again = rule_form(alice, project, "", "rule-edit", rule.pk)
    assert alice.post(at("rule-save", project), {**again, "do": "save"}).status_code == 303
    same = Rule.objects.get()
    assert (same.filter, same.sampling, same.delay_seconds, same.daily_cap, same.is_enabled, schedule_of(same)) == (
        rule.filter, rule.sampling, rule.delay_seconds, rule.daily_cap, True, schedule_of(rule),
    )  # fmt: skip


def test_what_is_wrong_with_a_rule_is_said_in_place(alice, project, evaluator):
    form = rule_form(alice, project)
    form |= {
        "percent": ["0"], "delay": ["soon"], "cap": ["-1"], "column": ["totalCost"], "operator": [">"], "name": ["x"],
        "condition": ["much"], "key": [""], "raw": [""], "rhythm": ["daily"], "time": ["25:00"], "target": ["trace"],
    }  # fmt: skip
    answer = alice.post(at("rule-save", project), {**form, "do": "activate"})
    said = text_of(answer)
    assert answer.status_code == 422
    for words in ("Give a share above 0", "“soon” is no number.", "Give an amount", "“much” is no number.", "02:00"):
        assert words in said
    assert not Rule.objects.exists()
    form = rule_form(alice, project) | {"name": ["x"]}
    none = alice.post(at("rule-save", project), {**form, "do": "activate"})
    assert (none.status_code, "Choose at least one evaluator" in text_of(none)) == (422, True)
    cron = alice.post(at("rule-save", project), {**form, "do": "save", "rhythm": "cron", "crontab": "every day"})
    assert (cron.status_code, "five fields" in text_of(cron)) == (422, True)
    zone = alice.post(at("rule-save", project), {**form, "do": "save", "rhythm": "daily", "timezone": "Mars"})
    assert (zone.status_code, "“Mars” is no time zone." in text_of(zone)) == (422, True)


def test_a_rule_maps_in_its_own_way(alice, project, evaluator):
    form = rule_form(alice, project, f"?evaluator={evaluator.pk}")
    id_ = evaluator.pk
    form |= {"own": [id_], f"source-{id_}": ["input"], f"path-{id_}": ["$.a"], f"optional-{id_}": ["answer"]}
    assert alice.post(at("rule-save", project), {**form, "do": "save"}).status_code == 303
    rule = Rule.objects.get()
    own = {"variable": "answer", "source": "input", "jsonPath": "$.a", "isOptional": True}
    assert rule.assignments.get().mapping == [own]
    assert not rule.is_enabled
    again = rule_form(alice, project, "", "rule-edit", rule.pk)
    assert (again["own"], again[f"path-{id_}"]) == ([id_], ["$.a"])


def test_conditions_of_the_api_that_the_form_cannot_show_are_kept(alice, project, scope, evaluator):
    given = [
        {"type": "stringOptions", "column": "name", "operator": "any of", "value": ["a, b", "c"]},
        {"type": "string", "column": "name", "operator": "contains", "value": " a "},
        {"type": "string", "column": "name", "operator": "contains", "value": "a\nb"},
        {"type": "string", "column": "name", "operator": "does not contain", "value": "x" * 3000},
        *({"type": "string", "column": "name", "operator": "contains", "value": f"{number}"} for number in range(40)),
    ]
    rule = create_rule(scope, RuleFields("r", filter=given, assignments=[(evaluator.pk, None)]), actor=SYSTEM)
    form = rule_form(alice, project, "", "rule-edit", rule.pk)
    assert alice.post(at("rule-save", project), {**form, "do": "save"}).status_code == 303
    rule.refresh_from_db()
    assert rule.filter == given
    assert form["raw"].count("") == 41
    many = {"column": ["name"] * 201, "operator": ["="] * 201, "condition": ["a"] * 201}
    form |= many | {"key": [""] * 201, "raw": [""] * 201}
    assert alice.post(at("rule-save", project), {**form, "do": "save"}).status_code == 422


def test_what_a_rule_would_be_is_told_before_it_begins(alice, project, evaluator):
    for _number in range(7):
        put_trace(project.pk, name="chat", root={"name": "answer"})
    form = rule_form(alice, project, f"?evaluator={evaluator.pk}") | {"column": ["name"], "operator": ["="]}
    form |= {"condition": ["answer"], "key": [""], "raw": [""], "percent": ["50"]}
    page = text_of(alice.post(at("rule-save", project), {**form, "do": "refresh"}))
    assert "Judged a day 0.5" in page
    assert "No model that is asked has a price." in page
    unfinished = text_of(alice.post(at("rule-save", project), {**form, "do": "add-condition", "percent": "x"}))
    assert "once what is written above is complete" in unfinished


def test_stored_data_is_counted_and_judged_by_a_job(alice, project, rule):
    for _number in range(3):
        put_trace(project.pk, name="chat", root={"name": "answer"})
    page = at("rule-backfill", project, rule.pk)
    shown = alice.get(f"{page}?most=2")
    assert "Match 3 Would be judged 2" in text_of(shown)
    assert "Would be judged 0" in text_of(alice.get(f"{page}?since=2020-01-01T00:00&until=2020-01-02T00:00"))
    for wrong in (
        "?since=2026-02-31T00:00",
        "?since=0001-01-01T00:00:00%2B14:00",
        "?percent=0",
        "?percent=x",
        "?most=many",
        "?since=2026-01-02&until=2026-01-01",
    ):
        assert "Correct the range" in text_of(alice.get(f"{page}{wrong}"))
    start = at("rule-backfill-start", project)
    assert alice.post(start, {"rule": rule.pk, "percent": "x"}).status_code == 422
    answer = alice.post(start, {"rule": rule.pk, "most": "2", "percent": "100"})
    assert answer.status_code == 303, text_of(answer)
    assert answer["Location"] == reverse("tracing:job-detail", args=[project.pk, Job.objects.get().pk])


def test_a_rule_is_switched_and_deleted_from_the_list(alice, project, rule, evaluator):
    listed = alice.get(at("rule-list", project))
    assert 'aria-checked="false"' in listed.content.decode()
    back = alice.post(at("rule-switch", project), {"rule": rule.pk, "on": "1", "page": "rule-list"})
    assert (back.status_code, back["Location"]) == (303, at("rule-list", project))
    assert 'aria-checked="true"' in alice.get(at("rule-list", project)).content.decode()
    assert alice.post(at("rule-delete", project), {"rule": rule.pk}).status_code == 303
    assert not Rule.objects.exists()


def test_one_without_evaluators_cannot_be_switched_on(alice, project, scope):
    rule = create_rule(scope, RuleFields("empty"), actor=SYSTEM)
    alice.post(at("rule-switch", project), {"rule": rule.pk, "on": "1"})
    assert "Choose at least one evaluator" in text_of(alice.get(at("rule-detail", project, rule.pk)))


# --- A selection ------------------------------------------------------------------------------------------
def test_chosen_traces_are_judged_once_it_is_said_by_whom_and_for_how_much(alice, project, scope, evaluator):
    chosen = [put_trace(project.pk, name=f"chat {number}").trace.id for number in range(2)]
    expensive = judgement(evaluator, number=9, cost=Decimal("0.02"))
    broken = create_evaluator(scope, fields("unmapped", mapping=None), actor=SYSTEM)
    of_sessions = create_evaluator(
        scope, fields("of sessions", mapping=[{"variable": "answer", "source": "conversation"}]), actor=SYSTEM
    )
    pick = {"ids": " ".join(chosen)}
    asked = alice.post(at("judge-traces", project), pick)
    said = text_of(asked)
    assert asked.status_code == 200
    for words in (
        "Judge 2 traces", "quality", "Choose evaluators to see what they cost.",
        "Its variables are not mapped yet.", "It reads conversation, which these do not have.",
    ):  # fmt: skip
        assert words in said
    assert not Job.objects.exists()
    priced = text_of(alice.post(at("judge-traces", project), {**pick, "evaluator": [evaluator.pk]}))
    assert "≈ $0.0400 for 2 judgements" in priced
    nobody = alice.post(at("judge-traces", project), {**pick, "do": "start"})
    assert nobody.status_code == 422
    assert "Choose at least one evaluator." in text_of(nobody)
    for other in (broken, of_sessions):
        refused = alice.post(at("judge-traces", project), {**pick, "evaluator": [other.pk], "do": "start"})
        assert refused.status_code == 422
    assert not Job.objects.exists()
    begun = alice.post(at("judge-traces", project), {**pick, "evaluator": [evaluator.pk], "do": "start"}, follow=True)
    assert begun.redirect_chain == [(f"{at('judgement-list', project)}?origin=manual&evaluator={evaluator.pk}", 303)]
    assert "Hand to evaluators: done, 2 rows." in text_of(begun)
    made = Judgement.objects.exclude(pk=expensive.pk)
    assert {(one.trace_id, one.origin, one.target) for one in made} == {(id_, "manual", "trace") for id_ in chosen}
    job = Job.objects.get()
    shown = text_of(alice.get(reverse("tracing:job-detail", args=[project.pk, job.pk])))
    assert "Judgements begun 2" in shown
    assert "quality" in shown
    log = text_of(alice.get(f"{at('judgement-list', project)}?trace={chosen[0]}&range=all"))
    assert "All 1" in log


def test_one_trace_or_observation_is_judged_from_its_own_page(alice, project, evaluator):
    traced = put_trace(project.pk, {"name": "answer"}, name="chat")
    trace_id, step = traced.trace.id, traced.observations[1].id
    page = alice.get(f"{at('judge-one', project)}?trace={trace_id}&observation={step}")
    assert "Judge 1 observation" in text_of(page)
    form = fields_of(page.content.decode(), "confirm")
    answer = alice.post(at("judge-observations", project), {**form, "evaluator": [evaluator.pk], "do": "start"})
    assert answer.status_code == 303
    assert [(one.trace_id, one.observation_id) for one in Judgement.objects.all()] == [(trace_id, step)]
    assert "Judge 1 trace" in text_of(alice.get(f"{at('judge-one', project)}?trace={trace_id}"))
    for query in ("", "?trace=gone", f"?trace={trace_id}&observation=gone", "?trace=a%00b"):
        assert alice.get(f"{at('judge-one', project)}{query}").status_code == 404, query


def test_all_that_match_are_judged(alice, project, evaluator):
    for number in range(3):
        put_trace(project.pk, name="wanted" if number else "other")
    pick = {"all": "1", "query": "?q=name:wanted&range=all", "evaluator": [evaluator.pk]}
    assert "Judge 2 traces" in text_of(alice.post(at("judge-traces", project), pick))
    assert alice.post(at("judge-traces", project), {**pick, "do": "start"}).status_code == 303
    assert Judgement.objects.count() == 2


def test_a_selection_is_judged_by_members_and_with_evaluators_of_the_project(alice, bob, charlie, project, evaluator):
    trace_id = put_trace(project.pk).trace.id
    pick = {"ids": trace_id, "evaluator": [evaluator.pk], "do": "start"}
    for page in ("judge-traces", "judge-observations"):
        assert bob.post(at(page, project), pick).status_code == 403
        assert charlie.post(at(page, project), pick).status_code == 404
    assert bob.get(f"{at('judge-one', project)}?trace={trace_id}").status_code == 403
    assert charlie.get(f"{at('judge-one', project)}?trace={trace_id}").status_code == 404
    elsewhere = make_project("Elsewhere")
    other = create_evaluator(scope_for_task(elsewhere.pk), fields("hidden"), actor=SYSTEM)
    assert "hidden" not in text_of(alice.post(at("judge-traces", project), {"ids": trace_id}))
    for id_ in (other.pk, "nobody", "a\x00b"):
        answer = alice.post(at("judge-traces", project), {**pick, "evaluator": [id_]})
        assert answer.status_code == 422, id_
    theirs = put_trace(elsewhere.pk).trace.id
    assert alice.get(f"{at('judge-one', project)}?trace={theirs}").status_code == 404
    assert alice.post(at("judge-traces", project), {"evaluator": [evaluator.pk], "do": "start"}).status_code == 400
    assert not Judgement.objects.exists()


# --- Judgements -------------------------------------------------------------------------------------------
def test_the_log_is_narrowed_and_what_failed_is_tried_again(alice, project, scope, evaluator, rule):
    other = create_evaluator(scope, fields("tone"), actor=SYSTEM)
    for number in range(3):
        judgement(evaluator, rule, number, status=JudgementStatus.FAILED, problem=f"It broke {HOSTILE}", attempts=4)
    judgement(other, None, 7, target="session", session_id="s", value="rude")
    judgement(other, None, 8, status=JudgementStatus.WAITING, value="")
    page = at("judgement-list", project)
    answer = alice.get(page)
    said = text_of(answer)
    assert "All 5" in said
    assert "Failed 3" in said
    assert HOSTILE not in answer.content.decode()
    assert "rude" not in text_of(alice.get(f"{page}?status=failed"))
    only = text_of(alice.get(f"{page}?evaluator={other.pk}&target=session"))
    assert "rude" in only
    assert "It broke" not in only
    assert "Nothing fits" in text_of(alice.get(f"{page}?rule={rule.pk}&status=done"))
    for nonsense in ("?before=zzz", "?rule=%00", "?status=x", "?range=x", "?target=x"):
        assert alice.get(f"{page}{nonsense}").status_code in (200, 400)
    back = alice.post(at("judgement-retry", project), {"evaluator": evaluator.pk})
    assert back.status_code == 303
    assert Judgement.objects.filter(status=JudgementStatus.WAITING).count() == 4
    assert "3 judgements are tried again." in text_of(alice.get(back["Location"]))
    alice.post(at("judgement-cancel", project), {"evaluator": other.pk})
    assert Judgement.objects.get(evaluator=other, value="").status == JudgementStatus.CANCELLED


def test_one_judgement_shows_what_was_asked_and_each_attempt(alice, project, evaluator, rule):
    asked = {
        "model": "judge",
        "messages": [{"role": "system", "content": "Be strict."}, {"role": "user", "content": "Rate it."}],
    }
    log = [
        {"at": "2026-11-21T08:00:00Z", "way": "schema", "seconds": 1, "status": 429, "request": asked,
         "response": "slow down", "problem": "Too many requests"},
        {"at": "2026-11-21T08:01:00Z", "way": "tool", "seconds": 2, "status": 200, "request": asked,
         "response": {"score": 1}, "problem": ""},
    ]  # fmt: skip
    one = judgement(
        evaluator, rule, 1, log_text=orjson.dumps(log).decode(), status=JudgementStatus.FAILED, problem="Gave up"
    )
    answer = alice.get(at("judgement-detail", project, one.pk))
    said = text_of(answer)
    for words in (
        "Be strict.",
        "Rate it.",
        "Attempt 2",
        "as a tool call",
        "Too many requests",
        "slow down",
        "Gave up",
        "Because.",
    ):
        assert words in said
    alice.post(at("judgement-retry", project), {"judgement": one.pk})
    one.refresh_from_db()
    assert one.status == JudgementStatus.WAITING
    assert 'hx-trigger="every 2s"' in alice.get(at("judgement-detail", project, one.pk)).content.decode()
    alice.post(at("judgement-cancel", project), {"judgement": one.pk})
    one.refresh_from_db()
    assert one.status == JudgementStatus.CANCELLED


def test_a_score_leads_to_its_judgement(alice, bob, project, evaluator):
    one = judgement(evaluator, None, 1, score_id="score-1", trace_id="t")
    score = {"name": "quality", "value": 0.5, "data_type": "NUMERIC", "source": "EVAL", "comment": "Because of this.",
             "execution_trace_id": "e" * 32}  # fmt: skip
    traced = put_trace(project.pk, name="chat", root={"name": "answer"}, scores=(score,))
    page = bob.get(reverse("tracing:trace-detail", args=[project.pk, traced.id])).content.decode()
    assert "how it was judged" in page
    assert "Because of this." in page
    found = alice.get(at("judgement-of-score", project, "score-1"))
    assert (found.status_code, found["Location"]) == (302, at("judgement-detail", project, one.pk))
    # What a program of one's own judged has its trace.
    own = alice.get(f"{at('judgement-of-score', project, 'unknown')}?trace=abc")
    assert own["Location"] == reverse("tracing:trace-detail", args=[project.pk, "abc"])
    assert alice.get(at("judgement-of-score", project, "unknown")).status_code == 404


# --- Whose they are ---------------------------------------------------------------------------------------
READ = ("evaluator-list", "evaluator-gallery", "rule-list", "judgement-list")
WRITE = (
    "evaluator-save", "evaluator-switch", "evaluator-delete-confirm", "evaluator-default-model-save", "rule-save",
    "rule-switch", "rule-delete", "rule-backfill-start", "judgement-retry", "judgement-cancel",
)  # fmt: skip


def test_viewers_read_and_change_nothing(bob, project, evaluator, rule):
    one = judgement(evaluator, rule, 1)
    reads = [*(at(page, project) for page in READ), at("evaluator-detail", project, evaluator.pk)]
    reads += [at("rule-detail", project, rule.pk), at("judgement-detail", project, one.pk)]
    for page in reads:
        assert bob.get(page).status_code == 200
    for page in ("evaluator-new", "rule-new", "evaluator-default-model"):
        assert bob.get(at(page, project)).status_code == 403
    for page in WRITE:
        given = {"evaluator": evaluator.pk, "rule": rule.pk, "judgement": one.pk}
        assert bob.post(at(page, project), given).status_code == 403, page
    assert Evaluator.objects.get().status == EvaluatorStatus.ACTIVE


def test_strangers_find_nothing(charlie, client, project, evaluator, rule):
    pages = [at(page, project) for page in READ] + [at("evaluator-detail", project, evaluator.pk)]
    for page in pages:
        assert charlie.get(page).status_code == 404
        assert client.get(page).status_code == 302
    for page in WRITE:
        assert charlie.post(at(page, project), {"evaluator": evaluator.pk, "rule": rule.pk}).status_code == 404


def test_what_is_of_another_project_is_not_there(alice, project):
    elsewhere = scope_for_task(make_project("Elsewhere").pk)
    other = create_evaluator(elsewhere, fields("hidden"), actor=SYSTEM)
    theirs = create_rule(elsewhere, RuleFields("hidden", assignments=[(other.pk, None)]), actor=SYSTEM)
    one = judgement(other, theirs, 1)
    pages = [
        at("evaluator-detail", project, other.pk), at("evaluator-edit", project, other.pk),
        at("rule-detail", project, theirs.pk), at("rule-edit", project, theirs.pk),
        at("rule-backfill", project, theirs.pk), at("judgement-detail", project, one.pk),
        f"{at('evaluator-new', project)}?from={other.pk}", f"{at('rule-new', project)}?from={theirs.pk}",
        f"{at('evaluator-delete', project)}?evaluator={other.pk}",
    ]  # fmt: skip
    for page in pages:
        assert alice.get(page).status_code == 404, page
    form = rule_form(alice, project) | {"name": ["x"], "evaluator": [other.pk]}
    assert alice.post(at("rule-save", project), {**form, "do": "activate"}).status_code == 422
    form = editor(alice, project) | {"evaluator": [other.pk], "name": ["x"]}
    assert alice.post(at("evaluator-save", project), {**form, "do": "save"}).status_code == 404
    alice.post(at("judgement-retry", project), {})
    one.refresh_from_db()
    assert one.status == JudgementStatus.DONE


# --- The tree of a sample ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("plain", "$.plain"),
        (3, "$[3]"),
        ("two words", "$['two words']"),
        ("it's", "$['it\\'s']"),
        ("Größe", "$['Größe']"),
    ],
)
def test_places_are_written_as_jsonpath(key, path):
    assert child_path("$", key) == path
    data = [0, 0, 0, "here"] if isinstance(key, int) else {key: "here"}
    assert findall(path, data) == ["here"]


def test_a_tree_of_hostile_and_vast_data_is_escaped_and_bounded():
    deep: dict[str, object] = {}
    for _number in range(60):
        deep = {"a": deep, HOSTILE: [HOSTILE] * 3}
    tree = str(sample_tree("input", {"deep": deep, "many": list(range(100_000)), "long": "x" * 100_000}))
    assert HOSTILE not in tree
    assert "<script" not in tree
    assert len(tree) < 400_000
    assert "more entries" in tree
