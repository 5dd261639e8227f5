from __future__ import annotations

import subprocess
import sys

import orjson
import pytest

from tracing.tokens import count_tokens

CHAT = {"tokenizerModel": "gpt-4o", "tokensPerMessage": 3, "tokensPerName": 1}


def test_openai_counts_are_exact():
    assert count_tokens("openai", {"tokenizerModel": "gpt-4"}, "tiktoken is great!") == 6
    assert count_tokens("openai", {"tokenizerModel": "gpt-4o"}, "hello world") == 2


def test_chat_messages_are_counted_one_by_one():
    messages = [{"role": "system", "content": "hello world"}, {"role": "user", "name": "bob", "content": "hello world"}]
    # each: 3 + role 1 + content 2; a name: 1 + 1; once: 3
    assert count_tokens("openai", CHAT, orjson.dumps(messages).decode()) == 3 + 6 + 8


def test_other_json_is_counted_as_text():
    text = '[{"not": "a message"}]'
    assert count_tokens("openai", CHAT, text) == count_tokens("openai", {"tokenizerModel": "gpt-4o"}, text)


def test_parts_and_tool_calls_of_a_message_are_counted_as_json():
    content = [{"type": "text", "text": "hello"}]
    message = [{"role": "user", "content": content, "tool_calls": [{"id": "1"}], "function_call": None}]
    parts = (orjson.dumps(value).decode() for value in (content, [{"id": "1"}]))
    expected = 3 + 3 + 1 + sum(count_tokens("openai", {"tokenizerModel": "gpt-4o"}, part) for part in parts)
    assert count_tokens("openai", CHAT, orjson.dumps(message).decode()) == expected


def test_claude_is_estimated_by_length():
    assert count_tokens("claude", {}, "x" * 35) == 10
    assert 8 <= count_tokens("claude", {}, "中文分词很有意思对吧") <= 12


@pytest.mark.parametrize("text", ["", "null", "[]"])
@pytest.mark.parametrize("tokenizer", ["openai", "claude"])
def test_nothing_counts_as_nothing(tokenizer, text):
    assert count_tokens(tokenizer, CHAT, text) is None


def test_no_tokenizer_no_count():
    assert count_tokens("", {}, "hello") is None


@pytest.mark.parametrize("text", ["\ud800 half", "<|endoftext|>", "[" * 5000, '[{"role": 1, "content": 2}]', "\x00"])
def test_odd_text_is_counted_and_never_raises(text):
    assert count_tokens("openai", CHAT, text) > 0


def test_a_broken_configuration_gives_no_count():
    assert count_tokens("openai", {"tokensPerMessage": 3, "tokensPerName": "x"}, '[{"role":"a","name":"b"}]') is None


def test_the_tokenizer_is_not_loaded_before_it_is_needed():
    code = "import tracing.tokens, sys; assert not any(name.startswith('bpe_openai') for name in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
