"""What an action refused, in words for a page."""

from __future__ import annotations

from config.errors import SpanwiseError


def issues_of(refusal: SpanwiseError) -> list[tuple[list[object], str]]:
    """Path and words of each thing that is wrong; the path is empty for the whole."""
    issues = getattr(refusal, "issues", None) or []
    found = [(list(_path(issue)), str(issue["message"])) for issue in issues]
    return found or [([], refusal.message)]


def _path(issue: dict[str, object]) -> list[object]:
    path = issue.get("path")
    return path if isinstance(path, list) else []
