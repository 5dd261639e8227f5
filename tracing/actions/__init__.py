"""What people and programs can do in tracing: one function a change."""

from tracing.actions.comments import create_comment
from tracing.actions.models import create_model, delete_model, put_model
from tracing.actions.removal import delete_project_data, delete_score, delete_traces, deleted_projects

__all__ = [
    "create_comment",
    "create_model",
    "delete_model",
    "delete_project_data",
    "delete_score",
    "delete_traces",
    "deleted_projects",
    "put_model",
]
