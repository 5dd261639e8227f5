"""From what was traced to the prompt it used: whoever owns prompts says at start where their pages are."""

from __future__ import annotations

from collections.abc import Callable

#: project id, name and version (None: whichever) -> address of the page
PromptAddress = Callable[[str, str, int | None], str]

_address: PromptAddress | None = None


def set_prompt_address(address: PromptAddress) -> None:
    global _address
    _address = address


def prompt_address(project_id: str, name: str, version: int | None) -> str:
    """Empty where prompts have no pages."""
    return _address(project_id, name, version) if _address is not None and name else ""
