"""Which state the data of a project are in: see `config/words.py`."""

from __future__ import annotations

from collections.abc import Iterable

from config import words


def changed(project_ids: Iterable[str] = ()) -> None:
    """To be called after a write, once its rows can be read."""
    words.changed(f"data:{project_id}" for project_id in project_ids)


def current(project_id: str) -> str:
    """The word for now; empty when there is none. Read it before what is to be kept under it: rows that arrive while
    that is read may be in it or not, and the word changes after them."""
    return words.current(f"data:{project_id}")
