"""What people and programs can do in tracing: one function a change."""

from tracing.actions.removal import delete_project_data, delete_score, delete_traces, deleted_projects

__all__ = [
    "delete_project_data",
    "delete_score",
    "delete_traces",
    "deleted_projects",
]
