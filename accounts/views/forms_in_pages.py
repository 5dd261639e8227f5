"""Running an action for a form: what the action refuses becomes an error of the form."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django import forms

from config.errors import Conflict, Invalid

T = TypeVar("T")


def submit(form: forms.BaseForm, action: Callable[[], T]) -> T | None:
    """The action's result, or None with the reason on the form."""
    if not form.is_valid():
        return None
    try:
        return action()
    except (Conflict, Invalid) as refusal:
        form.add_error(None, refusal.message)
        return None
