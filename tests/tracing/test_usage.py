from decimal import Decimal

import pytest

from tracing.ingest.usage import clean_cost, clean_usage, cost_from_legacy, usage_from_legacy

CHAT = {"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19}
RESPONSES = {"input_tokens": 12, "output_tokens": 7, "total_tokens": 19}


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        (None, {}),
        ([1], {}),
        ("{}", {}),
        ({}, {}),
        ({"input": 3, "output": 0}, {"input": 3, "output": 0}),
        ({"a": -1, "b": 1.5, "c": True, "d": None, "e": "7", "f": "x", "g": 2.0, "h": {}}, {"e": 7, "g": 2}),
        ({"huge": 2**63, "text": "9" * 30}, {}),
        (CHAT, {"input": 12, "output": 7, "total": 19}),
        (RESPONSES, {"input": 12, "output": 7, "total": 19}),
        (
            CHAT | {"prompt_tokens_details": {"cached_tokens": 5, "audio_tokens": None}},
            {"input": 7, "output": 7, "total": 19, "input_cached_tokens": 5},
        ),
        (
            RESPONSES | {"input_tokens_details": None, "output_tokens_details": {"reasoning_tokens": 9}},
            {"input": 12, "output": 0, "total": 19, "output_reasoning_tokens": 9},
        ),
        (
            CHAT | {"extra": 1, "cost": 0.002, "is_byok": False},
            {"prompt_tokens": 12, "completion_tokens": 7, "total": 19, "extra": 1},
        ),
        (
            {"promptTokens": 12, "completionTokens": 7, "totalTokens": 19},
            {"promptTokens": 12, "completionTokens": 7, "total": 19},
        ),
        ({"input": 12, "total": 3, "total_tokens": 12}, {"input": 12, "total": 3}),
        ({"prompt_tokens": 12, "completion_tokens": 7}, {"prompt_tokens": 12, "completion_tokens": 7}),
        (
            CHAT | {"prompt_tokens_details": {"cached_tokens": "x"}},
            {"prompt_tokens": 12, "completion_tokens": 7, "total": 19},
        ),
        # LangChain
        (
            RESPONSES
            | {
                "input_token_details": {"cache_read": 5, "audio": 0},
                "output_token_details": {"reasoning": 3, "odd": 1},
            },
            {"input": 7, "output": 4, "total": 19, "input_cache_read": 5, "output_reasoning": 3},
        ),
        (
            RESPONSES | {"input_token_details": {"cache_creation": 8, "ephemeral_5m_input_tokens": 6, "cache_read": 9}},
            {
                "input": 0,
                "output": 7,
                "total": 19,
                "input_cache_creation": 2,
                "input_cache_creation_5m": 6,
                "input_cache_read": 9,
            },
        ),
        # DeepSeek, with OpenAI's details and without
        (
            CHAT | {"prompt_cache_hit_tokens": 8, "prompt_cache_miss_tokens": 4},
            {"input": 4, "output": 7, "total": 19, "input_cached_tokens": 8},
        ),
        (
            CHAT
            | {
                "prompt_cache_hit_tokens": 8,
                "prompt_cache_miss_tokens": 4,
                "prompt_tokens_details": {"cached_tokens": 8},
            },
            {"input": 4, "output": 7, "total": 19, "input_cached_tokens": 8},
        ),
        (
            CHAT | {"prompt_cache_hit_tokens": 0, "prompt_cache_miss_tokens": 12},
            {"input": 12, "output": 7, "total": 19},
        ),
        # AI SDK 6
        (
            {
                "inputTokens": {"total": 100, "noCache": 15, "cacheRead": 80, "cacheWrite": 5},
                "outputTokens": {"total": 50, "text": 40, "reasoning": 10},
            },
            {
                "input": 15,
                "output": 40,
                "total": 150,
                "input_cache_read": 80,
                "input_cache_write": 5,
                "output_reasoning_tokens": 10,
            },
        ),
    ],
)
def test_usage_map_is_cleaned(sent, stored):
    assert clean_usage(sent) == stored


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        (None, {}),
        ({"input": 0.1, "output": 2}, {"input": Decimal("0.1"), "output": Decimal(2)}),
        ({"a": -0.1, "b": "3", "c": None, "d": True, "e": float("nan"), "f": float("inf"), "g": 1e300}, {}),
    ],
)
def test_cost_map_is_cleaned(sent, stored):
    assert clean_cost(sent) == stored


@pytest.mark.parametrize(
    ("usage", "details", "stored"),
    [
        (None, None, {}),
        ({"input": 4, "output": 6, "unit": "TOKENS"}, None, {"input": 4, "output": 6, "total": 10}),
        ({"input": 4, "output": 6, "total": 99}, None, {"input": 4, "output": 6, "total": 99}),
        ({"output": 6}, None, {"output": 6, "total": 6}),
        ({"input": 0, "output": 6}, None, {"input": 0, "output": 6, "total": 6}),
        ({"promptTokens": 4, "completionTokens": 6, "totalTokens": 10}, None, {"input": 4, "output": 6, "total": 10}),
        ({"input": 4, "output": 6}, {"input": 1, "cached": 3}, {"input": 1, "output": 6, "cached": 3}),
        (CHAT, None, {}),
    ],
)
def test_older_usage_object_joins_the_map(usage, details, stored):
    assert usage_from_legacy(usage, details) == stored


def test_a_sum_stays_within_the_stores_integers():
    most = 2**63 - 1
    assert usage_from_legacy({"input": most, "output": 5}, None)["total"] == most


def test_older_costs_join_the_map():
    usage = {"inputCost": 0.25, "outputCost": None, "totalCost": 1}
    assert cost_from_legacy(usage, {"total": 2}) == {"input": Decimal("0.25"), "total": Decimal(2)}
