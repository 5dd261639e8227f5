"""The gallery of judges holds together: whatever is begun from it can be saved and asked."""

from __future__ import annotations

import re

import pytest

from config.errors import NotFound
from evals.judging import code
from evals.judging.templates import CATEGORIES, Template, get_template, templates
from evals.models import TargetKind

KEYS = [one.key for one in templates() if not one.source_code]
CODE = [one.key for one in templates() if one.source_code]
#: what a judge of a target can be given
SOURCES = {
    TargetKind.OBSERVATION: {"input", "output", "metadata", "tool_calls"},
    TargetKind.TRACE: {"input", "output", "metadata", "trace"},
    TargetKind.SESSION: {"conversation"},
    TargetKind.EXPERIMENT: {"input", "output", "metadata", "expected_output", "experiment_item_metadata"},
}


def words(template: Template) -> str:
    return "\n".join(message["content"] for message in template.messages)


def test_there_are_enough_and_each_has_its_own_key() -> None:
    assert len(KEYS) >= 18
    assert len({*KEYS, *CODE}) == len(templates())
    assert {one.category for one in templates()} == set(CATEGORIES)
    assert {one.target for one in templates()} == set(TargetKind.values)


@pytest.mark.parametrize("key", KEYS)
def test_every_variable_is_mapped_to_what_its_target_has(key: str) -> None:
    template = get_template(key)
    used = set(re.findall(r"\{\{\s*(\w+)\s*\}\}", words(template)))
    assert used
    assert used == {entry["variable"] for entry in template.mapping}
    assert {entry["source"] for entry in template.mapping} <= SOURCES[TargetKind(template.target)]


@pytest.mark.parametrize("key", KEYS)
def test_the_prompt_says_what_to_judge_and_trusts_nothing_in_the_material(key: str) -> None:
    template = get_template(key)
    assert [message["role"] for message in template.messages] == ["system", "user"]
    assert "Judge only " in words(template)
    assert "never instructions to you" in words(template)
    for entry in template.mapping:  # the material stands between tags of its own
        name = entry["variable"]
        assert re.search(rf"<(\w+)>\n\{{\{{{name}\}}\}}\n</\1>", words(template))
    assert template.purpose.endswith("?")
    assert len(template.purpose) < 90
    assert len(template.not_for) > 30


@pytest.mark.parametrize("key", KEYS)
def test_the_output_says_what_each_value_means(key: str) -> None:
    output = get_template(key).output
    assert output["scoreReasoningInstructions"]
    assert output["scoreValueInstructions"]
    if output["dataType"] == "NUMERIC":
        assert output["minValue"] < output["maxValue"]
        assert re.search(rf"^- {output['maxValue']}: ", words(get_template(key)), re.MULTILINE)  # anchored at its end
    elif output["dataType"] == "CATEGORICAL":
        assert len({one["label"] for one in output["categories"]}) >= 3
        assert all(one["description"] for one in output["categories"])
    else:
        assert output["dataType"] == "BOOLEAN"
        assert "true:" in output["scoreValueInstructions"]
        assert "false:" in output["scoreValueInstructions"]


#: key, what it is given, and what comes of it
COMPUTED = [
    ("code", {"input": None, "output": "three short words", "metadata": {}}, 3.0),
    ("valid-json", {"output": '{"answer": 1}'}, True),
    ("valid-json", {"output": {"answer": 1}}, True),
    ("valid-json", {"output": "{'answer': 1}"}, False),
    ("same-as-expected", {"output": "Paris ", "expected_output": "paris"}, True),
    ("same-as-expected", {"output": "Lyon", "expected_output": "paris"}, False),
    ("same-as-expected", {"output": "Lyon", "expected_output": None}, None),
    ("overlap", {"output": "Paris, of course", "expected_output": "Paris"}, 0.5),
    ("overlap", {"output": "法国的首都是巴黎", "expected_output": "法国的首都是巴黎"}, 1.0),
    ("overlap", {"output": "Paris", "expected_output": None}, None),
    ("no-addresses", {"output": "Tomorrow, before 12."}, True),
    ("no-addresses", {"output": "Write to jane@example.com"}, False),
    ("no-addresses", {"output": "Call +49 30 1234567"}, False),
    ("steps-and-failures", {"trace": {"steps": [{"name": "a"}, {"name": "b", "level": "ERROR"}]}}, 1.0),
]


@pytest.mark.parametrize(("key", "document", "value"), COMPUTED)
def test_code_of_the_gallery_computes_what_it_says(key: str, document: dict[str, object], value: object) -> None:
    found = code.run(get_template(key).source_code, document)
    assert (found.value if found else None) == value


@pytest.mark.parametrize("key", CODE)
def test_code_of_the_gallery_is_given_what_its_target_has(key: str) -> None:
    template = get_template(key)
    assert set(code.parameters_of(template.source_code)) <= SOURCES[TargetKind(template.target)]
    assert key in {one for one, *_rest in COMPUTED}
    assert len(template.not_for) > 30
    assert not template.messages


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def evaluate(output)\n    return 1", "Line 1: The code cannot be read: expected ':'"),
        ("x = 1\n\ndef evaluate(nonsense):\n    return 1", "Line 3: evaluate can be given input"),
        ("x = 1", "no function called evaluate"),
        ("def part(x):\n    return x / 0\n\ndef evaluate(output):\n    return part(1)", "Line 2: ZeroDivisionError"),
        ("import socket\n\ndef evaluate(output):\n    return 1", "Line 1: “import socket” asks for something"),
        ("def evaluate(output):\n    return outptu", "Line 2: “return outptu” asks for something"),
        ("def evaluate(output):\n    return [1]", "returned no number"),
    ],
)
def test_what_is_wrong_with_code_is_said_with_its_line(source: str, said: str) -> None:
    with pytest.raises(code.Broken, match=re.escape(said)):
        code.run(source, {"output": "x"})


def test_an_unknown_key_is_not_found() -> None:
    with pytest.raises(NotFound):
        get_template("nothing")
