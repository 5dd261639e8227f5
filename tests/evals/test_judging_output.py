"""What a judge's answer has to be, how answers are read, and how variables find their values."""

from __future__ import annotations

import json_repair
import pytest

from config.errors import Invalid
from evals.judging import code
from evals.judging.answers import read_text
from evals.judging.definition import check_definition
from evals.judging.mapping import LONGEST_VALUE, check_mapping, fill, path_problem, resolve, suggest, variables_of
from evals.judging.output import Judged, Unreadable, read_output

NUMBER = read_output({"dataType": "NUMERIC", "minValue": 0, "maxValue": 1})
TRUTH = read_output({"dataType": "BOOLEAN"})
TEXT = read_output({"dataType": "TEXT"})
ONE = read_output({"dataType": "CATEGORICAL", "categories": ["Good", {"label": "Bad", "description": "wrong"}]})
SEVERAL = read_output({**ONE.as_json(), "shouldAllowMultipleMatches": True})


@pytest.mark.parametrize(
    "text",
    [
        '{"reasoning": "fine", "score": 0.4}',
        '```json\n{"reasoning": "fine", "score": 0.4,}\n```',
        "Sure! {'reasoning': 'fine', 'score': 0.4} I hope that helps.",
        '{"reasoning": "fine", "score": 0.4',
        'First {a guess}. <think>{"score": 1}</think> {"score": 0.4, "reasoning": "fine"}',
        '{"reasoning": "fine", "score": "0.4"}',
    ],
)
def test_answers_are_read_however_they_are_wrapped(text):
    judged = read_text(NUMBER, text)
    assert (judged.value, judged.reasoning) == (0.4, "fine")


@pytest.mark.parametrize(
    "text",
    [
        '{"reasoning": "It ends with </think> and {x}.", "score": 0.4}',
        'Thoughts of {"score": 1}.</think>\n{"reasoning": "r", "score": 0.4}',
        f'It is this: {{"reasoning": "{"long {x} " * 2_000}", "score": 0.4}} So be it.',
        f'<think>{"x" * 300_000}</think>{{"reasoning": "r", "score": 0.4}}',
    ],
)
def test_long_answers_and_thoughts_are_read(text):
    assert read_text(NUMBER, text).value == 0.4


@pytest.mark.parametrize("unit", ["<think>", "```{", '[{"', '{"', "{[", "score{", "\n", ".'"])
@pytest.mark.parametrize("length", [3_900, 190_000])
def test_no_answer_keeps_a_worker_busy(unit, length, monkeypatch):
    """Repairing takes minutes where much is open, or long."""
    repaired: list[str] = []

    def noted(text, **_options):
        repaired.append(text)

    monkeypatch.setattr(json_repair, "loads", noted)
    with pytest.raises(Unreadable):
        read_text(NUMBER, ("```{" + unit * length)[:length])
    assert len(repaired) <= 5
    assert all(len(text) <= 4_000 and text.count("{") + text.count("[") <= 40 for text in repaired)


@pytest.mark.parametrize(
    ("output", "text", "why"),
    [
        (NUMBER, "", "empty"),
        (NUMBER, "I would say quite good.", "no JSON object"),
        (NUMBER, '{"reasoning": "x"}', "no JSON object"),
        (NUMBER, '{"score": 1.2}', "above 1"),
        (NUMBER, '{"score": -1}', "below 0"),
        (NUMBER, '{"score": true}', "no number"),
        (NUMBER, '{"score": "high"}', "no number"),
        (TRUTH, '{"score": "perhaps"}', "neither"),
        (ONE, '{"score": "Ugly"}', "none of the categories"),
        (ONE, '{"score": ["Good", "Bad"]}', "several"),
        (SEVERAL, '{"score": []}', "no category"),
        (TEXT, '{"score": ""}', "no text"),
    ],
)
def test_what_does_not_fit_is_said_and_never_bent(output, text, why):
    with pytest.raises(Unreadable, match=why):
        read_text(output, text)


def test_each_kind_of_value_is_read_and_shown():
    assert read_text(TRUTH, "{'score': True, 'reasoning': ''}").shown == "True"
    assert read_text(TRUTH, '{"score": "no"}').value is False
    assert read_text(ONE, '{"score": " good "}').value == ("Good",)
    assert read_text(SEVERAL, '{"score": ["bad", "good", "bad"]}').shown == "Bad, Good"
    assert read_text(TEXT, '{"score": "A word."}').value == "A word."
    assert read_text(NUMBER, '{"score": 1}').shown == "1"


def test_what_no_database_keeps_is_left_out_of_an_answer():
    text = '{"reasoning": "half \\ud83d, nul \\u0000.", "score": "a\\u0000b\\ud83d",}'
    judged = read_text(TEXT, text)
    assert (judged.value, judged.reasoning) == ("ab?", "half ?, nul .")
    source = "def evaluate():\n    return {'value': 'a\\0b', 'reasoning': '\\0'}"
    assert code.run(source, {}) == Judged(("ab",), "")


def test_definitions_are_kept_as_they_were_read():
    for output in (NUMBER, TRUTH, TEXT, ONE, SEVERAL):
        assert read_output(output.as_json()) == output
        assert list(output.schema()["properties"]) == ["reasoning", "score"]  # thoughts come before the verdict
    assert SEVERAL.schema()["properties"]["score"]["items"]["enum"] == ["Good", "Bad"]
    assert "Bad: wrong" in ONE.in_words()


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ({"dataType": "STARS"}, ["dataType"]),
        ({"dataType": "NUMERIC", "minValue": 2, "maxValue": 1}, ["maxValue"]),
        ({"dataType": "NUMERIC", "minValue": "0"}, ["minValue"]),
        ({"dataType": "CATEGORICAL", "categories": ["one"]}, ["categories"]),
        ({"dataType": "CATEGORICAL", "categories": ["one", "ONE"]}, ["categories", 1]),
        ({"dataType": "BOOLEAN", "scoreValueInstructions": 7}, ["scoreValueInstructions"]),
    ],
)
def test_wrong_definitions_say_where(data, path):
    with pytest.raises(Invalid) as caught:
        read_output(data)
    assert caught.value.issues
    assert caught.value.issues[0]["path"] == path


DOCUMENT = {
    "input": {"messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello?"}]},
    "output": '{"answer": {"text": "Hi"}}',
    "metadata": {"region": "eu"},
    "tool_calls": None,
}


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ({"source": "input", "jsonPath": "$.messages[1].content"}, "Hello?"),
        ({"source": "input", "jsonPath": "$.messages[?@.role=='user'].content"}, '[\n  "Hello?"\n]'),
        ({"source": "output", "jsonPath": "$.answer.text"}, "Hi"),
        ({"source": "metadata"}, '{\n  "region": "eu"\n}'),
        ({"source": "tool_calls", "isOptional": True}, ""),
        ({"source": "metadata", "jsonPath": "$.gone", "isOptional": True}, ""),
    ],
)
def test_variables_find_their_values(entry, value):
    found = resolve(DOCUMENT, [{"variable": "x", **entry}])["x"]
    assert (found.value, found.problem) == (value, "")


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({"source": "metadata", "jsonPath": "$.gone"}, "finds nothing"),
        ({"source": "tool_calls"}, "is empty here"),
        ({"source": "conversation"}, "has no “conversation”"),
        ({"source": None}, "not mapped"),
        ({"source": "metadata", "jsonPath": "$.region["}, "not valid"),
    ],
)
def test_what_is_missing_is_a_problem_and_no_empty_text(entry, problem):
    found = resolve(DOCUMENT, [{"variable": "x", **entry}])["x"]
    assert problem in found.problem
    assert not found.value


def test_long_values_are_cut_where_it_is_seen():
    found = resolve({"input": "a" * LONGEST_VALUE + "END"}, [{"variable": "x", "source": "input"}])["x"]
    assert found.is_cut
    assert "characters left out here" in found.value
    assert found.value.endswith("END")
    assert len(found.value) < LONGEST_VALUE + 100


def test_values_are_put_in_once():
    messages = [{"role": "user", "content": "{{ a }} {{b.c}} {{a}} {x}"}]
    assert variables_of(messages) == ["a", "b.c"]
    assert fill("{{a}} {{ b }}", {"a": "{{b}}", "b": "B"}) == "{{b}} B"


def test_paths_of_people_cannot_keep_a_worker_busy():
    assert not path_problem("$.a[?@.b > 1].c")
    assert path_problem("$[?match(@.a, '(a+)+$')]")
    assert path_problem("a.b")
    assert path_problem("$.a[")
    assert not path_problem("$..a[?@.b == $.c && count(@.*) > 1]['d', 'e']")
    assert "only once" in path_problem("$..a..b")
    assert "cannot look" in path_problem("$[?count(@..a) > 1]")
    assert "cannot look" in path_problem("$[?@[?@..a]]")
    assert "one part of the whole" in path_problem("$[?count($.*) > 1]")


@pytest.mark.parametrize(
    "path", ["$..*..*..*..*..*..*..*..*.z", "$" + "[*,*]" * 40, "$" + "[0,0]" * 40, "$[" + "0," * 400 + "0]..z"]
)
def test_a_path_over_a_deep_value_ends(path):
    deep: list[object] = []
    for _level in range(80):
        deep = [deep, *range(100)]
    found = resolve({"input": deep}, [{"variable": "x", "source": "input", "jsonPath": path}])["x"]
    assert "only once" in found.problem or "too many parts" in found.problem
    assert resolve({"input": deep}, [{"variable": "x", "source": "input", "jsonPath": "$..[1]"}])["x"].value


def test_mappings_are_checked_as_a_whole():
    def codes(*entries):
        with pytest.raises(Invalid) as caught:
            check_mapping(list(entries), ["a", "b"])
        return [one["code"] for one in caught.value.issues or []]

    a, b = {"variable": "a", "source": "input"}, {"variable": "b", "source": "output"}
    assert check_mapping([a, {**b, "jsonPath": "$.x", "isOptional": True}], ["a", "b"])[1]["jsonPath"] == "$.x"
    assert codes(a) == ["missing_variable_mapping"]
    assert codes(a, a, b) == ["duplicate_variable_mapping"]
    assert codes(a, b, {"variable": "c", "source": "input"}) == ["invalid_variable_mapping"]
    assert codes(a, {"variable": "b", "source": "nowhere"}) == ["invalid_variable_mapping"]
    assert codes(a, {**b, "jsonPath": "x"}) == ["invalid_json_path"]


def test_a_mapping_is_suggested_by_names():
    entries = suggest(["question", "answer", "expected", "x"], "experiment")
    assert [one["source"] for one in entries] == ["input", "output", "expected_output", "trace"]
    assert [one["source"] for one in suggest(["dialogue"], "session")] == ["conversation"]


def test_a_definition_tells_all_that_is_wrong_at_once():
    with pytest.raises(Invalid) as caught:
        check_definition(
            kind="llm_as_judge",
            messages=[{"role": "robot", "content": "x"}, {"role": "user", "content": "{{a}}"}],
            output={"dataType": "NUMERIC", "minValue": "x"},
            model={"provider": "", "model": "m", "parameters": {"temperature": 9, "magic": 1}},
            mapping=[],
        )
    paths = [one["path"] for one in caught.value.issues or []]
    assert paths == [
        ["prompt", 0, "role"],
        ["outputDefinition", "minValue"],
        ["modelConfig", "provider"],
        ["modelConfig", "parameters", "temperature"],
        ["modelConfig", "parameters", "magic"],
        ["variableMapping"],
    ]
