"""What a provider says may name the key it was asked with: some tell which one they refuse."""

from __future__ import annotations

from collections.abc import Callable

from config.sealing import masked
from prompts.models import LlmConnection


def hiding(connection_: LlmConnection) -> Callable[[str], str]:
    """Takes the connection's own secrets out of a text. Raises `config.sealing.Unreadable`."""
    secrets = [text for text in (connection_.secret, *connection_.headers.values()) if len(text) >= 8]

    def hide(text: str) -> str:
        for secret in secrets:
            text = text.replace(secret, masked(secret))
        return text

    return hide
