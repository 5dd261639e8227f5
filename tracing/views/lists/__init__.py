"""The explorer's lists of traces and of observations: one page, two nouns."""

from __future__ import annotations

from tracing.views.lists.page import observation_list, trace_list

__all__ = ["observation_list", "trace_list"]
