"""Runs of a playground's windows: started, worked on, stopped and lost, against a provider on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
import redis
from django.db import connection
from django.utils import timezone

from accounts.models import Membership, Project
from accounts.roles import Role
from config import runners
from config.claims import LEASE
from config.crew import Crew
from config.ports import free_port
from config.sealing import seal
from prompts.models import Adapter, LlmConnection, Playground, PlaygroundRun, RunStatus
from prompts.playground import pieces, work
from tests.factories import make_project, make_user
from tests.prompts.playground import at, begin, connect, finished, news, run, send, signed_in, state, window
from tests.prompts.provider_stub import ARGUMENTS, ERROR, HELLO, KEY, REFUSAL, THOUGHT

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def playground(alice, project, provider, broker):
    connect(project, provider)
    return begin(alice, project)


def only(client, playground, *messages, **fields):
    """The run of one window."""
    [found] = finished(client, playground, state(window("a", *messages, **fields)))
    return found


def started(client, playground, *windows):
    status, answer = run(client, playground, state(*windows or [window()]))
    assert (status, answer["issues"]) == (201, []), answer
    return [PlaygroundRun.objects.get(pk=one["id"]) for one in answer["runs"]]


def issues_of(client, playground, given, variables=None, placeholders=None):
    """Path and words of what keeps one window from being run."""
    status, answer = run(client, playground, state(given, variables=variables, placeholders=placeholders))
    assert (status, answer["runs"]) == (201, []), answer
    assert not PlaygroundRun.objects.filter(playground=playground).exists()
    assert {issue["window"] for issue in answer["issues"]} == {given["id"]}
    return {tuple(issue["path"]): issue["message"] for issue in answer["issues"]}


# --- What comes of them ----------------------------------------------------------------------------------
WIRES = {
    "chat": {"adapter": Adapter.OPENAI},
    "responses": {"adapter": Adapter.OPENAI, "config": {"useResponsesApi": True}},
    "anthropic": {"adapter": Adapter.ANTHROPIC},
    "gemini": {"adapter": Adapter.GOOGLE_AI_STUDIO},
}


@pytest.mark.parametrize("wire", WIRES)
def test_each_provider_answers(wire, alice, project, provider, broker):
    connect(project, provider, **WIRES[wire])
    playground = begin(alice, project)
    windows = [window(name, model=model) for name, model in (("a", "hello"), ("b", "thinker"), ("c", "tools"))]
    hello, thinker, tools = finished(alice, playground, state(*windows))

    assert (hello.status, hello.error, hello.finish_reason) == (RunStatus.DONE, None, "stop")
    assert hello.message == {"role": "assistant", "content": HELLO}
    assert hello.answered_model == "stub-1"
    assert hello.usage["total"] == 18 == sum(hello.usage.values()) - hello.usage["total"]
    thought = thinker.message["content"][0]
    assert (thought["type"], thought["thinking"]) == ("thinking", THOUGHT)
    assert thinker.message["content"][1] == {"type": "text", "text": "42"}
    [call] = tools.message["tool_calls"]
    assert (call["function"]["name"], orjson.loads(call["function"]["arguments"])) == ("weather", ARGUMENTS)
    assert tools.finish_reason == "tool_calls"
    assert hello.started_at <= hello.first_token_at <= hello.ended_at
    assert 0 <= hello.first_token_ms <= hello.latency_ms


@pytest.mark.parametrize("wire", WIRES)
def test_without_streaming_the_provider_is_asked_without_it(wire, alice, project, provider, broker):
    connect(project, provider, **WIRES[wire])
    found = only(alice, begin(alice, project), stream=False)
    assert (found.status, found.message["content"]) == (RunStatus.DONE, HELLO), found.error
    asked = provider.last
    assert asked.body.get("stream") in (None, False)
    assert "stream_options" not in asked.body
    assert asked.headers["accept"] == "application/json"
    assert wire != "gemini" or asked.path.endswith(":generateContent")
    # Nothing was shown before the end.
    assert pieces.read({found.pk: 0})[found.pk][1] == []


@pytest.mark.parametrize("wire", WIRES)
def test_a_refusal_is_an_answer(wire, alice, project, provider, broker):
    connect(project, provider, **WIRES[wire])
    found = only(alice, begin(alice, project), model="refuses")
    assert (found.status, found.finish_reason) == (RunStatus.DONE, "refusal")
    assert found.message["content"] == REFUSAL


@pytest.mark.parametrize("model", ["401", "429", "500"])
@pytest.mark.parametrize("wire", WIRES)
def test_errors_are_kept_as_the_provider_gave_them(wire, model, alice, project, provider, broker):
    connect(project, provider, **WIRES[wire])
    found = only(alice, begin(alice, project), model=model)
    assert found.status == RunStatus.FAILED
    error = found.error
    assert (error["trouble"], error["status"], error["message"]) == ("status", int(model), ERROR)
    assert ERROR in error["body"]
    assert error["request_id"] == "req_stub"
    assert found.message is None


@pytest.mark.parametrize("model", ["cut", "unfinished", "failing"])
def test_what_came_before_the_end_of_a_broken_answer_is_kept(model, alice, playground):
    found = only(alice, playground, model=model)
    assert found.status == RunStatus.FAILED
    assert found.error["trouble"] == ("in_stream" if model == "failing" else "cut_off")
    assert found.message["content"] == HELLO


def test_keys_are_in_no_row_and_in_no_answer(alice, project, provider, broker, caplog, monkeypatch):
    """Some providers say which key they refuse."""
    connect(project, provider, sealed_secret=seal("sk-wrong-0123456789"))
    monkeypatch.setattr("tests.prompts.provider_stub.ERROR", "Incorrect API key provided: sk-wrong-0123456789.")
    playground = begin(alice, project)
    found = only(alice, playground)
    assert found.error["status"] == 401
    assert "sk-…6789" in found.error["message"]
    kept = "".join(str(value) for value in PlaygroundRun.objects.filter(pk=found.pk).values_list()[0])
    shown = alice.get(at("playground-output", project, playground.pk, found.pk), headers={"hx-request": "true"})
    for text in (
        kept,
        caplog.text,
        shown.content.decode(),
        orjson.dumps(news(alice, playground, **{found.pk: 0})).decode(),
    ):
        assert "sk-wrong-0123456789" not in text


def test_all_of_a_window_reaches_the_provider(alice, playground):
    parameters = {
        "temperature": "0.5",
        "top_p": "0.9",
        "max_tokens": "64",
        "stop": "END\n\\n\\n",
        "seed": "7",
        "frequency_penalty": "0.1",
        "presence_penalty": "-0.2",
        "reasoning_effort": "low",
    }
    history = [{"role": "user", "content": "Before {{topic}}"}, {"role": "assistant", "content": "Yes"}]
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
    given = window(
        "a",
        {"role": "system", "content": "About {{ topic }}."},
        {"type": "placeholder", "name": "history"},
        {"role": "user", "content": [{"type": "text", "text": "See {{topic}}"}, picture]},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "sun"},
        {"role": "user", "content": "  "},
        model="echo",
        parameters=parameters,
        options='{"user": "me", "metadata": {"a": 1}}',
        tools=[{"name": "weather", "description": "Tells it.", "parameters": '{"type": "object"}'}],
        tool_choice="weather",
        output_schema={"name": "answer", "schema": '{"type": "object", "properties": {}}'},
    )
    values = {"topic": "{{other}} 天气"}
    [found] = finished(
        alice, playground, state(given, variables=values, placeholders={"history": orjson.dumps(history).decode()})
    )
    assert found.status == RunStatus.DONE, found.error
    asked = orjson.loads(found.message["content"])
    assert asked["messages"] == [
        {"role": "system", "content": "About {{other}} 天气."},
        *history,
        {"role": "user", "content": [{"type": "text", "text": "See {{other}} 天气"}, picture]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "sun"},
    ]
    assert asked["stop"] == ["END", "\n\n"]
    assert (asked["temperature"], asked["top_p"], asked["max_tokens"], asked["seed"]) == (0.5, 0.9, 64, 7)
    assert (asked["frequency_penalty"], asked["presence_penalty"], asked["reasoning_effort"]) == (0.1, -0.2, "low")
    assert (asked["user"], asked["metadata"]) == ("me", {"a": 1})
    assert asked["tools"][0]["function"] == {
        "name": "weather",
        "description": "Tells it.",
        "parameters": {"type": "object"},
    }
    assert asked["tool_choice"] == {"type": "function", "function": {"name": "weather"}}
    assert asked["response_format"]["json_schema"]["schema"] == {"type": "object", "properties": {}}
    # As they were sent, but for what one provider's wire makes of them.
    assert found.call["messages"][4] == {**asked["messages"][4], "content": ""}
    assert found.call["messages"][:4] == asked["messages"][:4]


# --- What keeps a window from being run ------------------------------------------------------------------
BAD = {
    "no connection": ({"connection": ""}, ("connection",)),
    "unknown connection": ({"connection": "theirs"}, ("connection",)),
    "no model": ({"model": " "}, ("model",)),
    "temperature": ({"parameters": {"temperature": "warm"}}, ("parameters", "temperature")),
    "infinite": ({"parameters": {"top_p": "inf"}}, ("parameters", "top_p")),
    "tokens": ({"parameters": {"max_tokens": "0"}}, ("parameters", "max_tokens")),
    "part of a token": ({"parameters": {"max_tokens": "1.5"}}, ("parameters", "max_tokens")),
    "seed": ({"parameters": {"seed": "99999999999"}}, ("parameters", "seed")),
    "options": ({"options": '{"a": '}, ("options",)),
    "options list": ({"options": "[1]"}, ("options",)),
    "tool without name": (
        {"tools": [{"name": "", "description": "", "parameters": ""}]},
        ("tools", 0, "name"),
    ),
    "tool twice": (
        {
            "tools": [
                {"name": "x", "description": "", "parameters": ""},
                {"name": "x", "description": "", "parameters": "{}"},
            ]
        },
        ("tools", 1, "name"),
    ),
    "schema of a tool": (
        {"tools": [{"name": "x", "description": "", "parameters": "{"}]},
        ("tools", 0, "parameters"),
    ),
    "choice": (
        {"tools": [{"name": "x", "description": "", "parameters": ""}], "tool_choice": "y"},
        ("tool_choice",),
    ),
    "schema": ({"output_schema": {"name": "a", "schema": "nope"}}, ("output_schema", "schema")),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_told_by_its_place(case, alice, playground):
    fields, path = BAD[case]
    assert list(issues_of(alice, playground, {**window(), **fields})) == [path]


BAD_MESSAGES = {
    "empty": ([""], ("messages",)),
    "role": ([{"role": "robot", "content": "x"}], ("messages", 0, "role")),
    "answer of no call": ([{"role": "tool", "content": "x"}], ("messages", 0, "tool_call_id")),
    "part": ([{"role": "user", "content": ["x"]}], ("messages", 0, "content", 0)),
    "picture": (
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://127.0.0.1/a.png"}}]}],
        ("messages", 0, "content", 0),
    ),
    "arguments": (
        [
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"id": "1", "function": {"name": "x", "arguments": "{"}}],
            }
        ],
        ("messages", 0, "tool_calls", 0, "function", "arguments"),
    ),
    "variable": (["Hi {{name}}"], ("variables", "name")),
    "missing prompt": (["@@@langfusePrompt:name=none|version=1@@@"], ("messages", 0, "content")),
}


@pytest.mark.parametrize("case", BAD_MESSAGES)
def test_what_is_wrong_with_a_message_is_told_by_its_place(case, alice, playground):
    messages, path = BAD_MESSAGES[case]
    assert list(issues_of(alice, playground, window("a", *messages))) == [path]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("{", ()),
        ('{"role": "user"}', ()),
        ('[{"content": "x"}]', (0,)),
        ('[{"role": "robot", "content": "x"}]', (0, "role")),
        ('[{"role": "user", "content": [1]}]', (0, "content", 0)),
        ('[{"role": "assistant", "content": "x", "tool_calls": 1}]', (0, "tool_calls")),
    ],
)
def test_a_placeholder_holds_messages(text, path, alice, playground):
    given = window("a", {"type": "placeholder", "name": "history"}, "Hi")
    found = issues_of(alice, playground, given, placeholders={"history": text})
    assert list(found) == [("placeholders", "history", *path)]


def test_a_conversation_may_not_have_begun(alice, playground, provider):
    given = window("a", {"type": "placeholder", "name": "history"}, "Hi")
    finished(alice, playground, state(given))
    assert provider.last.body["messages"] == [{"role": "user", "content": "Hi"}]


def test_windows_that_can_be_run_are_beside_those_that_cannot(alice, playground):
    given = state(window("a"), window("b", model=""), window("c"))
    status, answer = run(alice, playground, given)
    assert status == 201
    assert [one["window"] for one in answer["runs"]] == ["a", "c"]
    assert [(one["window"], one["path"]) for one in answer["issues"]] == [("b", ["model"])]
    playground.refresh_from_db()
    assert (playground.state["windows"][1]["model"], playground.revision) == ("", answer["revision"])


def test_what_the_provider_has_no_word_for_is_said_and_not_left_out(alice, project, provider, broker):
    connect(project, provider, adapter=Adapter.ANTHROPIC)
    found = only(alice, begin(alice, project), parameters={"seed": "7"})
    assert (found.status, found.error["trouble"]) == (RunStatus.FAILED, "call")
    assert "seed" in found.error["message"]
    assert provider.requests == []


# --- News ------------------------------------------------------------------------------------------------
def test_news_come_in_pieces_by_cursor(alice, playground):
    found = only(alice, playground, model="thinker")
    first = news(alice, playground, **{found.pk: 0})[found.pk]
    assert (first["status"], first["window"]) == ("done", "a")
    assert [(piece["kind"], piece["text"]) for piece in first["pieces"]] == [("thinking", THOUGHT), ("text", "42")]
    assert first["elapsed_ms"] == found.latency_ms
    assert first["first_token_ms"] == found.first_token_ms
    again = news(alice, playground, **{found.pk: first["cursor"]})[found.pk]
    assert (again["pieces"], again["cursor"]) == ([], first["cursor"])


def test_pieces_of_tool_calls_say_which(alice, playground):
    found = only(alice, playground, model="tools")
    [piece] = news(alice, playground, **{found.pk: 0})[found.pk]["pieces"]
    assert (piece["kind"], piece["index"], piece["name"]) == ("tool", 0, "weather")
    assert orjson.loads(piece["text"]) == ARGUMENTS


def test_without_the_broker_the_answer_is_whole_at_the_end(alice, playground, monkeypatch, unused_broker):
    monkeypatch.setattr(pieces, "_broker", lambda: unused_broker)
    found = only(alice, playground)
    assert (found.status, found.message["content"]) == (RunStatus.DONE, HELLO)
    said = news(alice, playground, **{found.pk: 3})[found.pk]
    assert (said["status"], said["pieces"], said["cursor"]) == ("done", [], 3)


@pytest.fixture
def unused_broker():
    return redis.Redis.from_url(f"redis://127.0.0.1:{free_port()}/0", decode_responses=True, **pieces.IMPATIENT)


def test_pieces_that_were_lost_leave_the_outcome(alice, playground):
    found = only(alice, playground)
    pieces._broker().flushall()
    said = news(alice, playground, **{found.pk: 0})[found.pk]
    assert (said["status"], said["pieces"]) == ("done", [])
    assert PlaygroundRun.objects.get(pk=found.pk).message["content"] == HELLO


def test_one_that_waits_for_long_says_why(alice, playground):
    [waiting] = started(alice, playground)
    assert "note" not in news(alice, playground, **{waiting.pk: 0})[waiting.pk]
    PlaygroundRun.objects.filter(pk=waiting.pk).update(created_at=timezone.now() - timedelta(minutes=1))
    said = news(alice, playground, **{waiting.pk: 0})[waiting.pk]
    assert (said["status"], said["note"]) == ("queued", "No worker takes it. It starts as soon as one runs.")
    assert said["elapsed_ms"] >= 60_000


@pytest.mark.parametrize("after", ["", ",", "x", ":", "x:y", "x:-1,,", "%00:1", "x:99999999999"])
def test_strange_cursors_are_no_trouble(after, alice, playground, project):
    answer = alice.get(at("playground-news", project, playground.pk) + f"?after={after}")
    assert answer.status_code == 200
    assert all(one["status"] == "lost" for one in orjson.loads(answer.content)["runs"])


# --- Stopping --------------------------------------------------------------------------------------------
def test_one_that_waits_is_stopped_at_once(alice, playground, project, provider):
    [waiting] = started(alice, playground)
    assert send(alice, "post", at("playground-stop", project, playground.pk), {"runs": [waiting.pk]})[0] == 200
    assert not work.work_on_next()
    waiting.refresh_from_db()
    assert (waiting.status, waiting.error["message"]) == (RunStatus.STOPPED, "Stopped.")
    assert provider.requests == []


def test_stopping_what_has_ended_changes_nothing(alice, playground, project):
    found = only(alice, playground)
    assert send(alice, "post", at("playground-stop", project, playground.pk), {"runs": [found.pk, "x"]})[0] == 200
    assert PlaygroundRun.objects.get(pk=found.pk).status == RunStatus.DONE


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("model", ["silent", "hangs", "drip"])
def test_a_silent_provider_is_left_when_the_run_is_stopped(model, alice, playground, project, provider):
    """The worker is a thread of its own, as it is in the product."""
    [going] = started(alice, playground, window(model=model))
    worker = threading.Thread(target=_work_elsewhere)
    worker.start()
    try:
        assert provider.was_asked.wait(30)
        send(alice, "post", at("playground-stop", project, playground.pk), {"runs": [going.pk]})
    finally:
        worker.join()
    going.refresh_from_db()
    assert (going.status, going.error["message"]) == (RunStatus.STOPPED, "Stopped.")
    if model != "drip":
        assert provider.was_left.wait(30)
    assert going.message is None if model == "silent" else going.message["content"]


def _work_elsewhere():
    try:
        work.work_on_next()
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_deleting_a_playground_ends_what_runs_in_it(alice, playground, project, provider):
    started(alice, playground, window(model="silent"))
    worker = threading.Thread(target=_work_elsewhere)
    worker.start()
    assert provider.was_asked.wait(30)
    assert alice.post(at("playground-delete", project, playground.pk)).status_code == 303
    worker.join()
    assert provider.was_left.wait(30)
    assert not PlaygroundRun.objects.exists()


# --- Runs whose worker is gone ---------------------------------------------------------------------------
def _claimed_by(found, mark, heartbeat_at=None):
    now = timezone.now()
    values = {"status": RunStatus.RUNNING, "runner": mark, "heartbeat_at": heartbeat_at or now, "started_at": now}
    PlaygroundRun.objects.filter(pk=found.pk).update(**values)


def _mark_of_a_dead_process():
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    host, _pid, life, claim = runners.new_mark().rsplit(":", 3)
    return f"{host}:{child.pid}:{life}:{claim}"


@pytest.mark.parametrize("who", ["page", "sweep"])
def test_a_run_whose_process_was_killed_is_lost(who, alice, playground):
    [going] = started(alice, playground)
    _claimed_by(going, _mark_of_a_dead_process())
    if who == "sweep":
        work.sweep()
    else:
        assert news(alice, playground, **{going.pk: 0})[going.pk]["status"] == "lost"
    going.refresh_from_db()
    assert (going.status, going.error["message"]) == (RunStatus.LOST, work.LOST)
    assert going.ended_at
    assert going.is_traced


def test_a_run_elsewhere_is_lost_after_a_while_of_silence(alice, playground):
    [going] = started(alice, playground)
    _claimed_by(going, "another-machine:1:aa:bb")
    assert news(alice, playground, **{going.pk: 0})[going.pk]["status"] == "running"
    _claimed_by(going, "another-machine:1:aa:bb", timezone.now() - LEASE)
    assert news(alice, playground, **{going.pk: 0})[going.pk]["status"] == "lost"


def test_a_run_of_a_living_process_goes_on(alice, playground):
    [going] = started(alice, playground)
    host, _pid, life, claim = runners.new_mark().rsplit(":", 3)
    _claimed_by(going, f"{host}:{os.getppid()}:{life}:{claim}")
    work.sweep()
    going.refresh_from_db()
    assert going.status == RunStatus.RUNNING


def test_an_outcome_that_comes_after_the_run_was_given_up_is_not_written_over_it(alice, playground, monkeypatch):
    [going] = started(alice, playground)

    def taken_meanwhile(run):
        PlaygroundRun.objects.filter(pk=run.pk).update(status=RunStatus.LOST)
        return original(run)

    original = work._outcome_of
    monkeypatch.setattr(work, "_outcome_of", taken_meanwhile)
    work.work_on_next()
    going.refresh_from_db()
    assert (going.status, going.message) == (RunStatus.LOST, None)


def test_a_worker_that_ends_says_so_of_its_runs(alice, playground, monkeypatch):
    ending = Crew("ending", lambda: 1, work.work_on_next)
    monkeypatch.setattr(work, "crew", ending)
    started(alice, playground, window(model="silent"))
    threading.Timer(0.3, ending.stop).start()
    work.work_on_next()
    assert PlaygroundRun.objects.get().status == RunStatus.LOST


# --- Limits ----------------------------------------------------------------------------------------------
def test_a_project_runs_so_much_at_once_and_then_says_so(alice, playground, settings, project):
    settings.PLAYGROUND_RUNS_PER_PROJECT = 3
    other = begin(alice, project)
    started(alice, other, window("a"), window("b"))
    revision = Playground.objects.get(pk=playground.pk).revision
    status, answer = run(alice, playground, state(window("a"), window("b")))
    assert status == 429
    assert "2 at once" in answer["message"]
    assert Playground.objects.get(pk=playground.pk).revision == revision
    assert run(alice, playground, state(window("a")))[0] == 201


def test_a_window_runs_once_at_a_time(alice, playground):
    started(alice, playground)
    status, answer = run(alice, playground, state(window()))
    assert (status, answer["runs"]) == (201, [])
    assert answer["issues"][0]["path"] == []
    assert "still runs" in answer["issues"][0]["message"]


def test_old_runs_of_a_window_are_removed(alice, playground, monkeypatch):
    monkeypatch.setattr("prompts.actions.runs.MOST_KEPT", 3)
    kept = [only(alice, playground).pk for _number in range(4)]
    started(alice, playground)
    ids = set(PlaygroundRun.objects.values_list("pk", flat=True))
    assert len(ids) == 3
    assert set(kept[2:]) < ids
    work.work_on_next()
    finished(alice, playground, state(window("b")))
    assert set(PlaygroundRun.objects.values_list("window", flat=True)) == {"b"}


# --- Whose ------------------------------------------------------------------------------------------------
def test_a_viewer_reads_and_changes_nothing(alice, bob, playground, project):
    found = only(alice, playground)
    assert news(bob, playground, **{found.pk: 0})[found.pk]["status"] == "done"
    assert run(bob, playground, state(window()))[0] == 403
    assert send(bob, "post", at("playground-stop", project, playground.pk), {"runs": [found.pk]})[0] == 403


def test_runs_of_other_projects_are_neither_seen_nor_stopped(alice, charlie, playground, workspace, project, provider):
    secret = Project.objects.get(name="Secret")
    connect(secret, provider)
    theirs = begin(charlie, secret)
    [hidden] = started(charlie, theirs)
    assert news(alice, playground, **{hidden.pk: 0})[hidden.pk] == {
        "id": hidden.pk,
        "window": "",
        "status": "lost",
        "cursor": 0,
        "pieces": [],
    }
    send(alice, "post", at("playground-stop", project, playground.pk), {"runs": [hidden.pk]})
    assert alice.get(at("playground-output", project, playground.pk, hidden.pk)).status_code == 404
    assert alice.get(at("playground-news", secret, theirs.pk)).status_code == 404
    hidden.refresh_from_db()
    assert hidden.status == RunStatus.QUEUED
    # Nor is their connection used by its name.
    mine = make_project("Mine", organization=workspace.organization)
    elsewhere = begin(alice, mine)
    assert list(issues_of(alice, elsewhere, window())) == [("connection",)]


def test_who_has_left_meanwhile_runs_nothing(alice, workspace, playground, project, provider):
    mia = make_user("mia@example.com", organization=workspace.organization, role=Role.MEMBER)
    [going] = started(signed_in(mia), playground)
    Membership.objects.filter(user=mia).delete()
    work.work_on_next()
    going.refresh_from_db()
    assert going.status == RunStatus.FAILED
    assert provider.requests == []


def test_a_connection_that_is_gone_meanwhile_is_said(alice, playground, project, provider):
    [going] = started(alice, playground)
    LlmConnection.objects.filter(project=project).delete()
    work.work_on_next()
    going.refresh_from_db()
    assert (going.status, going.error["message"]) == (RunStatus.FAILED, "The connection stub is not there any more.")
    assert KEY not in going.problem


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b'{"revision": 1}', b'{"revision": "1", "state": {}, "windows": ["a"]}', b'{"revision": true}'],
)
def test_what_is_no_request_to_run_is_said(body, alice, playground, project):
    status, answer = send(alice, "post", at("playground-run", project, playground.pk), body)
    assert status == 400
    assert answer["message"]


def test_windows_that_are_not_there_are_said(alice, playground):
    for names in ([], ["z"], "a", [1]):
        status, answer = run(alice, playground, state(window()), windows=names or [[]])
        assert (status, bool(answer["issues"])) == (400, True)
