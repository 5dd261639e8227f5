"""The gallery of judges holds together: whatever is begun from it can be saved and asked."""

from __future__ import annotations

import re

import pytest

from config.errors import NotFound
from evals.judging.templates import CATEGORIES, Template, get_template, templates
from evals.models import TargetKind

KEYS = [one.key for one in templates()]
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
    assert len(set(KEYS)) == len(KEYS)
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


def test_an_unknown_key_is_not_found() -> None:
    with pytest.raises(NotFound):
        get_template("nothing")
