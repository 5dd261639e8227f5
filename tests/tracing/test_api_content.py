"""Content and metadata come back through the API as they were sent, however odd."""

from __future__ import annotations

import json

import pytest

from tests.tracing.api_data import make_api, observation, trace
from tracing.analytics import store

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("analytics_server")]


@pytest.fixture
def api():
    return make_api()


def shown(api, **values):
    """The observation as three routes show it, which must agree."""
    store.insert(
        observations=[observation(api.project_id, "t", "o", 0, is_root=True, **values)],
        traces=[trace(api.project_id, "t", 0, root_id="o")],
    )
    [listed] = api.get("observations")["data"]
    [inside] = api.get("traces/t")["observations"]
    alone = api.get("observations/o")
    assert listed == inside == alone
    assert api.get("traces")["data"][0]["input"] == api.get("traces/t")["input"] == alone["input"]
    return alone


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("plain", "plain"),
        ("true story", "true story"),
        ('{"a": 1, "b": [null, 1.5, "Ω"]}', {"a": 1, "b": [None, 1.5, "Ω"]}),
        (" [1]\n", [1]),
        ("12", 12),
        ("null", None),
        ('{"cut": ', '{"cut": '),
        ("NaN", "NaN"),
        ('"half \\ud800 pair"', '"half \\ud800 pair"'),
    ],
)
def test_content_is_json_where_it_is_json(api, text, value):
    item = shown(api, input=text, output=text)
    assert (item["input"], item["output"]) == (value, value)


def test_content_of_any_depth_comes_back(api):
    depth = 900
    item = shown(api, input="[" * depth + "]" * depth, metadata={"deep": "[" * depth + "]" * depth})
    assert json.dumps(item["input"]) == json.dumps(item["metadata"]["deep"]) == "[" * depth + "]" * depth


def test_a_list_with_one_observation_of_bottomless_content_is_still_json(api):
    text = "[" * 5000 + "]" * 5000
    assert shown(api, input=text)["input"] == text


@pytest.mark.parametrize(
    ("stored", "value"),
    [
        ({"a.b": "1", "a.c": "x"}, {"a": {"b": 1, "c": "x"}}),
        ({"a.b": "1", "a": "2"}, {"a.b": 1, "a": 2}),
        ({"a": "2", "a.b": "1"}, {"a.b": 1, "a": 2}),
        ({"a.b.c": "1", "a.b": "2", "a.d": "3"}, {"a.b.c": 1, "a": {"b": 2, "d": 3}}),
        ({"scope.name": "x", "scope": "y"}, {"scope.name": "x", "scope": "y"}),
        ({"scope.name": "x"}, {"scope": {"name": "x", "attributes": {}}}),
        ({"attributes.a.b": "1.10", "attributes.l": "[1]"}, {"attributes": {"a.b": "1.10", "l": [1]}}),
        ({"": "empty", ".": "dot", "a.": "end"}, {"": "empty", ".": "dot", "a": {"": "end"}}),
        ({".".join("x" * 300): "1"}, {".".join("x" * 300): 1}),
    ],
)
def test_metadata_is_nested_as_it_was_sent(api, stored, value):
    assert shown(api, metadata=stored)["metadata"] == value
