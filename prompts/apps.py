from typing import Any

from django.apps import AppConfig
from django.utils.translation import gettext_lazy


class PromptsConfig(AppConfig):
    name = "prompts"

    def ready(self) -> None:
        from accounts.roles import Role
        from accounts.settings_navigation import add_project_page
        from accounts.signals import project_deleted
        from config import palette
        from prompts.drawing import new_playground_url, prompt_url
        from prompts.queries.prompts import has_version, version_ids
        from tracing.ingest.enrich import register_prompt_resolver
        from tracing.models.comments import CommentObjectType
        from tracing.queries.comments import set_existence
        from tracing.views.playground_links import set_playground_address
        from tracing.views.prompt_links import set_prompt_address

        set_existence(CommentObjectType.PROMPT.value, has_version)
        set_prompt_address(prompt_url)
        set_playground_address(new_playground_url)
        register_prompt_resolver(version_ids)
        palette.register("prompts.views.finders.find_prompts")
        palette.register("prompts.views.finders.find_playgrounds")
        add_project_page("prompts:connection-list", gettext_lazy("LLM connections"), Role.VIEWER)
        add_project_page("prompts:automation-list", gettext_lazy("Prompt automations"), Role.VIEWER)
        add_project_page("prompts:label-list", gettext_lazy("Prompt labels"), Role.VIEWER)
        project_deleted.connect(_delete_data, dispatch_uid="prompts-delete-data")


def _delete_data(project_id: str, **_: Any) -> None:
    from prompts.actions.automations import delete_project_automations
    from prompts.actions.playground import delete_project_playgrounds
    from prompts.actions.prompts import delete_project_prompts

    delete_project_automations(project_id)
    delete_project_playgrounds(project_id)
    delete_project_prompts(project_id)
