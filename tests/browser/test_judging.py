"""A judge from nothing to its scores, with a provider on this machine that breaks in between; by mouse, by keyboard,
on a phone and without a script."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import serious_in_both_themes
from tests.browser.chromium import Watch
from tests.browser.content_data import wait_for
from tests.clients.conftest import PROGRAMS, command_of, variables_of
from tests.evals.judge_stub import KEY, JudgeStub
from tests.instance import Instance
from tests.server_fixture import OPEN_HOST
from tests.tracing.otlp_requests import pairs

OUTPUT = '{"answer": {"text": "Tomorrow before noon.", "sources": ["policy", "order"]}}'


@pytest.fixture
def judge() -> Iterator[JudgeStub]:
    with JudgeStub(OPEN_HOST) as stub:
        stub.score, stub.reasoning = 4, "It says when the parcel arrives."
        yield stub


@pytest.fixture
def name() -> str:
    """Of this test alone: of its connection, its evaluator and what its rule judges."""
    return f"j{uuid4().hex[:8]}"


def send(server: Instance, name: str, number: int = 1) -> list[str]:
    """Traces of one generation each, over OTLP as any exporter sends them; returns their ids."""
    began, spans = time.time_ns() - 5_000_000_000, []
    for place in range(number):
        attributes = {
            "langfuse.observation.type": "generation",
            "langfuse.observation.input": '{"question": "Where is my order?"}',
            "langfuse.observation.output": OUTPUT,
        }
        start = began + place * 1_000_000
        spans.append({
            "traceId": uuid4().hex, "spanId": uuid4().hex[:16], "name": name, "attributes": pairs(attributes),
            "startTimeUnixNano": str(start), "endTimeUnixNano": str(start + 1_000_000_000),
        })  # fmt: skip
    request = {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {"name": "test"}, "spans": spans}]}]}
    with server.client() as api:
        assert api.post("/api/public/otel/v1/traces", json=request).status_code == 200
    ids = [str(one["traceId"]) for one in spans]
    for trace_id in ids:
        wait_for(server, trace_id, 1)
    return ids


def send_by_sdk(server: Instance, name: str, number: int = 1) -> list[str]:
    """The same by a program with the Python SDK."""
    command = command_of("langfuse-python-5", PROGRAMS / "support_answers.py")
    variables = variables_of(server, openai_url="", environment="support")
    done = subprocess.run([*command, name, str(number)], env=variables, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    ids = done.stdout.split()
    assert len(ids) == number
    for trace_id in ids:
        wait_for(server, trace_id, 1)
    return ids


def scores_of(server: Instance, trace_id: str) -> list[tuple[str, float, str]]:
    with server.client() as api:
        found = api.get("/api/public/v2/scores", params={"traceId": trace_id}).json()["data"]
    return [(one["name"], one["value"], one["source"]) for one in found]


def connect(server: Instance, judge: JudgeStub, name: str) -> None:
    with server.client() as api:
        given = {"provider": name, "adapter": "openai", "secretKey": KEY, "baseURL": judge.url}
        given |= {"customModels": ["judge"], "withDefaultModels": False}
        assert api.put("/api/public/llm-connections", json=given).status_code in (200, 201)


def make_judge(server: Instance, judge: JudgeStub, name: str, *, rule: bool = True) -> str:
    """An evaluator with its rule, by the API; returns the evaluator's id."""
    connect(server, judge, name)
    with server.client() as api:
        given = {
            "name": name, "type": "llm_as_judge", "prompt": [{"role": "user", "content": "Rate {{answer}}"}],
            "modelConfig": {"provider": name, "model": "judge"},
            "variableMapping": [{"variable": "answer", "source": "output"}],
            "outputDefinition": {"dataType": "NUMERIC", "minValue": 1, "maxValue": 5},
        }  # fmt: skip
        made = api.post("/api/public/v2/evaluators", json=given)
        assert made.status_code in (200, 201), made.text
        evaluator: str = made.json()["id"]
        if rule:
            condition = {"type": "string", "column": "name", "operator": "=", "value": name}
            assigned = [{"evaluatorId": evaluator, "variableMapping": None}]
            given = {"name": name, "enabled": True, "filter": [condition], "evaluatorAssignments": assigned}
            assert api.post("/api/public/v2/evaluation-rules", json=given).status_code in (200, 201)
    return evaluator


def test_a_judge_from_the_gallery_to_scores(
    page: Page, watch: Watch, server: Instance, project_url: str, judge: JudgeStub, name: str
) -> None:
    send_by_sdk(server, name)
    # Connected.
    page.goto(f"{project_url}/settings/llm-connections/new/?preset=compatible")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Base URL").fill(judge.url)
    page.get_by_label("Key", exact=True).fill(KEY)
    page.get_by_label("Models", exact=False).first.fill("judge")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("row", name=name)).to_be_visible()

    # Chosen.
    page.goto(f"{project_url}/evaluators/gallery/")
    page.get_by_label("Search the gallery").fill("helpful")
    expect(page.locator(".judges li")).to_have_count(1)
    page.get_by_role("link", name="Helpfulness").click()
    expect(page.locator("#judge")).to_contain_text("When not")
    assert serious_in_both_themes(page) == []
    page.get_by_role("link", name="Use this one").click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Connection").select_option(name)
    expect(page.get_by_label("Model", exact=True)).to_have_value("judge")

    # Mapped: the sample is found by its name, a variable chosen, and its place clicked.
    page.locator(".sample-choice > summary").click()
    page.get_by_label("Part of its name").fill(name)
    expect(page.locator(".sample-choice > summary")).to_contain_text(name)
    answer = page.locator('[data-map="answer"]')
    answer.get_by_role("button").click()
    page.locator('.pick[data-path="$.answer.text"]').click()
    expect(answer.get_by_label("JSONPath of answer")).to_have_value("$.answer.text")
    expect(answer.locator(".preview")).to_have_text("Tomorrow before noon.")
    # Or written; what is not there is said, and what is typed meanwhile stays.
    path = answer.get_by_label("JSONPath of answer")
    path.fill("$.answer.nothing")
    expect(answer.locator(".preview")).to_contain_text("finds nothing")
    expect(path).to_be_focused()
    path.fill("$.answer.sources[1]")
    expect(answer.locator(".preview")).to_have_text("order")
    # A new variable gets a card of its own while one writes.
    words = page.get_by_label("What the message says").last
    words.press("End")
    words.press_sequentially(" {{tone}}")
    expect(page.locator('[data-map="tone"]')).to_be_visible()
    expect(words).to_be_focused()
    page.locator('[data-map="tone"]').get_by_label("Source of tone").select_option("metadata")
    # A reload shows the same sample (and asks first, for nothing is saved).
    expect(page).to_have_url(re.compile("sample="))
    assert serious_in_both_themes(page) == []

    # Tried.
    page.get_by_role("button", name="Run test").click()
    expect(page.locator("#trial .trial-value")).to_have_text("4")
    expect(page.locator("#trial")).to_contain_text("It says when the parcel arrives.")
    page.locator("#trial .attempt summary").click()
    expect(page.locator("#request-1")).to_contain_text("<answer>\\norder\\n</answer>")
    assert KEY not in page.content()
    assert serious_in_both_themes(page) == []
    page.locator("header.bar").get_by_role("button", name="Save").click()
    expect(page.get_by_text("The evaluator is saved.")).to_be_visible()

    # A rule, with what it would be.
    page.get_by_role("link", name="Say what it judges").click()
    page.get_by_role("button", name="Condition").click()
    page.get_by_label("Field").select_option("name")
    expect(page.get_by_label("Comparison")).to_be_enabled()
    page.get_by_label("Comparison").select_option("=")
    page.get_by_label("Value").fill(name)
    page.get_by_label("Value").press("Enter")
    expect(page.locator("#estimate")).to_contain_text(re.compile(r"Judged a day\s*0\.1"))
    page.get_by_label("Share that is judged", exact=True).fill("100")
    assert serious_in_both_themes(page) == []
    page.get_by_role("button", name="Activate").click()
    expect(page.get_by_text(f"“{name}” judges from now on.")).to_be_visible()
    rule = page.url

    # What arrives is judged, and the page tells by itself.
    traces = send_by_sdk(server, name, 2)
    rows = page.locator("#judgements tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.locator(".tag.good")).to_have_count(2)
    assert serious_in_both_themes(page) == []
    page.goto(f"{project_url}/traces/{traces[0]}/")
    scores = page.locator("#scores")
    expect(scores).to_contain_text(name)
    expect(scores).to_contain_text("It says when the parcel arrives.")
    scores.get_by_role("link", name="how it was judged").click()
    expect(page.locator(".judgement-value")).to_have_text("4")
    expect(page.locator("#judgement")).to_contain_text("Attempt 1")
    assert serious_in_both_themes(page) == []
    page.go_back()
    expect(scores).to_be_visible()
    assert scores_of(server, traces[0]) == [(name, 4, "EVAL")]
    # Switched off from the list, it judges no more.
    page.goto(f"{project_url}/evaluation-rules/?q={name}")
    page.get_by_role("switch").click()
    expect(page.get_by_text(f"“{name}” is off.")).to_be_visible()
    page.goto(rule)
    expect(page.get_by_role("button", name="Activate")).to_be_visible()


def test_a_provider_that_breaks_is_told_of_and_no_score_is_lost(
    page: Page, watch: Watch, server: Instance, project_url: str, judge: JudgeStub, name: str
) -> None:
    evaluator = make_judge(server, judge, name)
    log = f"{project_url}/judgements/?evaluator={evaluator}"
    judge.script = [429, 500, "no JSON at all", 60.0]
    page.goto(log)
    broken = send_by_sdk(server, name)
    row = page.locator("#judgements tbody tr")
    expect(row.locator(".tag")).to_have_text("Failed", timeout=60_000)
    assert scores_of(server, broken[0]) == []
    row.get_by_role("link").first.click()
    judgement = page.locator("#judgement")
    for number in range(1, 5):
        expect(judgement).to_contain_text(f"Attempt {number}")
    for words in ("429", "500", "Too many requests", "no JSON object", "No answer in time"):
        expect(judgement).to_contain_text(words)
    judgement.locator(".attempt summary").last.click()
    expect(judgement).to_contain_text("The stub says")
    assert KEY not in page.content()
    assert serious_in_both_themes(page) == []
    # Healed and tried again: one score, and the whole story stays.
    judge.script.clear()
    page.go_back()
    page.get_by_role("button", name="Retry the one that failed").click()
    expect(page.get_by_text("1 judgement is tried again.")).to_be_visible()
    expect(row.locator(".tag")).to_have_text("Done")
    assert scores_of(server, broken[0]) == [(name, 4, "EVAL")]

    # A key that is refused pauses the evaluator; what comes meanwhile waits for it.
    judge.script = [401] * 20
    waiting = send_by_sdk(server, name, 2)
    page.goto(log)
    expect(row).to_have_count(3)
    expect(row.filter(has_text="Paused").first).to_be_visible()
    page.reload()
    banner = page.locator(".paused-strip")
    expect(banner).to_contain_text("was paused")
    expect(banner).to_contain_text("401")
    expect(banner.get_by_role("link", name="Connections")).to_be_visible()
    assert serious_in_both_themes(page) == []
    judge.script.clear()
    banner.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("judges again")).to_be_visible()
    page.goto(log)
    expect(row.locator(".tag.good")).to_have_count(3)
    for trace_id in waiting:
        assert scores_of(server, trace_id) == [(name, 4, "EVAL")]
    # The list tells by dots, which lead to each judgement.
    page.goto(f"{project_url}/evaluators/?q={name}")
    expect(page.get_by_role("row", name=name).locator(".dot.good")).to_have_count(3)
    page.get_by_role("row", name=name).locator(".dot").last.click()
    expect(page.locator(".judgement-value")).to_have_text("4")


def test_chosen_traces_are_judged_from_the_list_and_one_from_its_page(
    page: Page, watch: Watch, server: Instance, project_url: str, judge: JudgeStub, name: str
) -> None:
    make_judge(server, judge, name, rule=False)
    traces = send(server, name, 2)
    page.goto(f"{project_url}/traces/?q=name:{name}")
    page.locator("#select-page").check()
    page.locator("#selection").get_by_role("button", name="Judge").click()
    dialog = page.locator("#confirm-dialog")
    expect(dialog.get_by_role("heading")).to_have_text("Judge 2 traces")
    choice = dialog.get_by_role("checkbox", name=name)
    choice.focus()
    page.keyboard.press(" ")
    expect(dialog.locator("#judge-cost")).to_contain_text("for 2 judgements")
    expect(choice).to_be_focused()
    assert serious_in_both_themes(page) == []
    dialog.get_by_role("button", name="Judge").press("Enter")
    expect(page.get_by_text("Hand to evaluators: done, 2 rows.")).to_be_visible()
    rows = page.locator("#judgements tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.locator(".tag.good")).to_have_count(2)
    for trace_id in traces:
        assert scores_of(server, trace_id) == [(name, 4, "EVAL")]
    # Once more, one of them: its new score takes the place of the old one.
    judge.score = 2
    page.goto(f"{project_url}/traces/{traces[0]}/")
    page.locator("#trace-acts").get_by_label("More").click()
    page.get_by_role("link", name="Judge…").click()
    page.get_by_role("checkbox", name=name).check()
    page.locator("#confirm-do").click()
    expect(rows.first.locator(".tag.good")).to_be_visible()
    page.goto(f"{project_url}/judgements/?trace={traces[0]}")
    expect(rows).to_have_count(1)
    expect(rows.locator(".j-value")).to_have_text("2")
    assert scores_of(server, traces[0]) == [(name, 2, "EVAL")]


def test_code_is_written_by_keyboard_tried_and_mended(
    page: Page, watch: Watch, server: Instance, project_url: str, name: str
) -> None:
    send(server, name)
    page.goto(f"{project_url}/evaluators/gallery/?category=code")
    page.get_by_role("link", name="A function of your own").click()
    expect(page.locator("#judge")).to_contain_text("def evaluate(input, output, metadata):")
    assert serious_in_both_themes(page) == []
    page.get_by_role("link", name="Use this one").click()
    page.get_by_label("Name", exact=True).fill(name)
    code = page.get_by_label("Python")
    code.fill("")
    code.press_sequentially("def evaluate(output):\nif isinstance(output, dict)\nreturn 1")
    expect(code).to_have_value("def evaluate(output):\n    if isinstance(output, dict)\n    return 1")
    page.locator(".sample-choice > summary").click()
    page.get_by_label("Part of its name").fill(name)
    expect(page.locator(".sample-choice > summary")).to_contain_text(name)
    # What is wrong is said with its line, beside which the number is marked.
    page.get_by_role("button", name="Run test").click()
    expect(page.locator("#source-error")).to_contain_text("Line 2: The code cannot be read")
    expect(page.locator(".line-numbers .wrong")).to_have_text("2")
    watch.problems.clear()  # that it was refused
    code.fill("def evaluate(output):\n")
    expect(page.locator(".line-numbers .wrong")).to_have_count(0)
    code.press("Tab")
    code.press_sequentially("if isinstance(output, dict):\nreturn len(output)\n")
    code.press("Shift+Tab")
    code.press_sequentially("return None")
    wanted = "def evaluate(output):\n    if isinstance(output, dict):\n        return len(output)\n    return None"
    expect(code).to_have_value(wanted)
    code.press("Escape")
    expect(code).not_to_be_focused()
    page.get_by_role("button", name="Run test").click()
    expect(page.locator("#trial .trial-value")).to_have_text("1")
    expect(page.locator("#source-error")).to_have_count(0)
    assert serious_in_both_themes(page) == []
    page.locator("header.bar").get_by_role("button", name="Save").click()
    expect(page.get_by_text("The evaluator is saved.")).to_be_visible()
    expect(page.locator(".code-shown .line")).to_have_count(4)
    expect(page.locator(".code-shown .k").first).to_have_text("def")
    assert serious_in_both_themes(page) == []


def test_the_main_way_by_keyboard(page: Page, server: Instance, project_url: str, judge: JudgeStub, name: str) -> None:
    connect(server, judge, name)
    send(server, name)
    page.goto(f"{project_url}/evaluators/")
    page.keyboard.press("n")
    page.wait_for_url(re.compile("/gallery/"))
    page.keyboard.press("/")
    page.keyboard.type("topic")
    expect(page.locator(".judges li")).to_have_count(1)
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Topic").focus()
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Use this one").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Connection").select_option(name)
    # A category is added and taken away without a mouse, and the focus goes along.
    rows = page.locator("[data-category]")
    before = rows.count()
    page.get_by_role("button", name="Category", exact=True).press("Enter")
    expect(rows).to_have_count(before + 1)
    expect(rows.last.get_by_label("Category")).to_be_focused()
    rows.last.get_by_role("button", name="Remove").press("Enter")
    expect(rows).to_have_count(before)
    # Variable, then its place by the arrows.
    page.locator(".sample-choice > summary").press("Enter")
    page.get_by_label("Part of its name").fill(name)
    page.keyboard.press("Enter")
    expect(page.locator(".sample-choice > summary")).to_contain_text(name)
    page.locator("[data-choose]").press("Enter")
    expect(page.locator("[data-choose]")).to_have_attribute("aria-pressed", "true")
    first = page.locator('.pick[data-source="input"]').first
    first.focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator('.pick[data-path="$.question"]')).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".preview")).to_have_text("Where is my order?")
    judge.score = "question"
    page.get_by_role("button", name="Run test").press("Enter")
    expect(page.locator(".trial-value")).to_have_text("question")
    page.get_by_role("heading", name="New evaluator").evaluate("document.activeElement.blur()")
    page.keyboard.press("s")
    expect(page.get_by_text("The evaluator is saved.")).to_be_visible()
    # Edited: the next version; and what changed between the two.
    page.keyboard.press("e")
    page.get_by_label("What the message says").first.press("Control+End")
    page.keyboard.type(" Be strict.")
    page.get_by_label("What the message says").first.press("Escape")
    page.keyboard.press("s")
    expect(page.get_by_text("Version 2 is saved.")).to_be_visible()
    page.get_by_role("link", name="Compare version 1 with version 2").press("Enter")
    expect(page.locator("#prompt-diff mark").first).to_contain_text("Be strict.")
    page.go_back()
    expect(page.locator(".versions li")).to_have_count(2)


def test_without_a_script_and_on_a_phone(
    scriptless: Page, phone: Page, server: Instance, project_url: str, judge: JudgeStub, name: str
) -> None:
    connect(server, judge, name)
    [trace] = send(server, name)
    scriptless.goto(f"{project_url}/evaluators/new/?template=conciseness")
    scriptless.get_by_label("Name", exact=True).fill(name)
    scriptless.get_by_label("Connection").select_option(name)
    scriptless.get_by_label("Model", exact=True).fill("judge")
    judge.score = 1
    scriptless.get_by_role("button", name="Run test").click()
    scriptless.get_by_role("link", name="See how it goes").click()
    expect(scriptless.locator("#trial")).to_contain_text("Test")
    scriptless.go_back()
    scriptless.get_by_label("Name", exact=True).fill(name)
    scriptless.locator(".steps").get_by_role("button", name="Save").click()
    expect(scriptless.locator(".version-pane")).to_contain_text("What it asks")
    evaluator = scriptless.url
    scriptless.get_by_role("link", name="Say what it judges").click()
    scriptless.get_by_role("button", name="Condition").click()
    scriptless.get_by_label("Field").select_option("name")
    scriptless.get_by_role("button", name="Condition").click()
    scriptless.get_by_label("Comparison").first.select_option("=")
    scriptless.get_by_label("Value").first.fill(name)
    scriptless.get_by_role("button", name="Remove").last.click()
    scriptless.get_by_role("button", name="Save for later").click()
    rule = scriptless.url
    expect(scriptless.locator("main")).to_contain_text(f"Name is {name}")
    scriptless.get_by_role("link", name="Run on existing data").click()
    backfill = scriptless.url
    scriptless.get_by_role("button", name="Judge 1 target").click()
    expect(scriptless.locator("h1")).to_have_text("Judge what is stored")
    phone.goto(f"{project_url}/evaluators/?q={name}")
    expect(phone.get_by_role("row", name=name)).to_be_visible()
    phone.goto(rule)
    judged = phone.locator("#judgements tbody tr")
    phone.goto(f"{project_url}/judgements/?status=done&range=all")
    phone.goto(evaluator)
    expect(judged.locator(".tag.good")).to_have_count(1)
    judgement = judged.get_by_role("link").first.get_attribute("href") or ""
    pages = [
        f"{project_url}/evaluators/", f"{project_url}/evaluators/gallery/?template=tone", evaluator,
        f"{evaluator}edit/",
        f"{project_url}/evaluation-rules/", f"{rule}edit/", rule, backfill, f"{project_url}/judgements/",
        server.url + judgement,
    ]  # fmt: skip
    for address in pages:
        phone.goto(address)
        assert phone.evaluate("document.documentElement.scrollWidth") <= 390, address
    assert scores_of(server, trace) == [(name, 1, "EVAL")]
