from typing import Any

from django.apps import AppConfig


class PromptsConfig(AppConfig):
    name = "prompts"

    def ready(self) -> None:
        from accounts.signals import project_deleted

        project_deleted.connect(_delete_data, dispatch_uid="prompts-delete-data")


def _delete_data(project_id: str, **_: Any) -> None:
    from prompts.actions import delete_project_prompts

    delete_project_prompts(project_id)
