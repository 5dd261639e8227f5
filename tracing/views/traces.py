"""Kept for what still names it here."""

from __future__ import annotations

from tracing.views.ranges import RANGE_BESIDE_RESULTS, range_labels

__all__ = ["RANGE_BESIDE_RESULTS", "range_labels"]
