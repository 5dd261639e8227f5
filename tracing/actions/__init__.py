"""What people and programs can do in tracing: one function a change."""

from tracing.actions.annotate import Annotation, Target, correct_output, score_target, score_traces
from tracing.actions.bulk import (
    start_bookmarking,
    start_deletion,
    start_queueing,
    start_scoring,
    start_tagging,
    start_user_deletion,
)
from tracing.actions.comments import create_comment, delete_comment, edit_comment, react, write_comment
from tracing.actions.models import create_model, delete_model, put_model
from tracing.actions.recompute import start_recomputation
from tracing.actions.removal import delete_project_data, delete_score, delete_traces, deleted_projects
from tracing.actions.traces import bookmark_traces, publish_traces, tag_traces

__all__ = [
    "Annotation",
    "Target",
    "bookmark_traces",
    "correct_output",
    "create_comment",
    "create_model",
    "delete_comment",
    "delete_model",
    "delete_project_data",
    "delete_score",
    "delete_traces",
    "deleted_projects",
    "edit_comment",
    "publish_traces",
    "put_model",
    "react",
    "score_target",
    "score_traces",
    "start_bookmarking",
    "start_deletion",
    "start_queueing",
    "start_recomputation",
    "start_scoring",
    "start_tagging",
    "start_user_deletion",
    "tag_traces",
    "write_comment",
]
