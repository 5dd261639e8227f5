"""Prompts whose roles are marks in one text: ChatML and Llama 3's headers."""

from __future__ import annotations

import re

from tracing.views.conversation.messages import read_message
from tracing.views.conversation.parts import Message

_FORMS = (
    re.compile(r"<\|im_start\|> *(?P<role>\w+) *\n(?P<text>.*?)(?:<\|im_end\|>\s*|(?=<\|im_start\|>)|\Z)", re.DOTALL),
    re.compile(
        r"(?:<\|begin_of_text\|>\s*)?<\|start_header_id\|>(?P<role>\w+)<\|end_header_id\|>\s*"
        r"(?P<text>.*?)(?:<\|eot_id\|>\s*|<\|eom_id\|>\s*|(?=<\|start_header_id\|>)|\Z)",
        re.DOTALL,
    ),
)


def messages_in(text: str) -> tuple[Message, ...]:
    """The messages, if the whole text is nothing but them."""
    if "<|im_start|>" not in text and "<|start_header_id|>" not in text:
        return ()
    for form in _FORMS:
        found, at = [], len(text) - len(text.lstrip())
        while match := form.match(text, at):
            found.append(match)
            if match.end() == at:
                break
            at = match.end()
        if found and at == len(text):
            # An open turn at the end asks the model to go on from there.
            said = [match for match in found if match["text"] or match is not found[-1]]
            return tuple(read_message({"role": m["role"], "content": m["text"].removesuffix("\n")}) for m in said)
    return ()
