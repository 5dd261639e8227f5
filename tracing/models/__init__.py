"""Rows of the relational store that tracing owns."""

from tracing.models.comments import Comment
from tracing.models.dead_letters import DeadLetter
from tracing.models.media import Media, MediaLink
from tracing.models.prices import Model, PricingTier

__all__ = ["Comment", "DeadLetter", "Media", "MediaLink", "Model", "PricingTier"]
