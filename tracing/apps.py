from typing import Any

from django.apps import AppConfig


class TracingConfig(AppConfig):
    name = "tracing"

    def ready(self) -> None:
        from accounts.signals import project_deleted

        project_deleted.connect(_delete_data, dispatch_uid="tracing-delete-data")


def _delete_data(project_id: str, **_: Any) -> None:
    from tracing.tasks import delete_project_data

    delete_project_data.delay(project_id)
