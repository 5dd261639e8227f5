"""Rows of the relational store that tracing owns."""

from tracing.models.comments import Comment, CommentMention, CommentReaction
from tracing.models.dashboards import Dashboard, Placement, Widget
from tracing.models.dead_letters import DeadLetter
from tracing.models.jobs import Job, JobPart, JobStatus
from tracing.models.media import Media, MediaLink
from tracing.models.prices import Model, PricingTier
from tracing.models.views import DefaultView, SavedView

__all__ = [
    "Comment",
    "CommentMention",
    "CommentReaction",
    "Dashboard",
    "DeadLetter",
    "DefaultView",
    "Job",
    "JobPart",
    "JobStatus",
    "Media",
    "MediaLink",
    "Model",
    "Placement",
    "PricingTier",
    "SavedView",
    "Widget",
]
