import logging
from typing import Any

from django.apps import AppConfig
from django.utils.translation import gettext_lazy

log = logging.getLogger(__name__)


class TracingConfig(AppConfig):
    name = "tracing"

    def ready(self) -> None:
        from accounts.roles import Role
        from accounts.settings_navigation import add_project_page
        from accounts.signals import project_deleted
        from config import palette

        palette.register("tracing.views.finders.find_by_id")
        palette.register("tracing.views.finders.find_by_name")
        add_project_page("tracing:model-list", gettext_lazy("Model prices"), Role.VIEWER)
        project_deleted.connect(_delete_data, dispatch_uid="tracing-delete-data")


def _delete_data(project_id: str, **_: Any) -> None:
    from tracing.tasks import delete_project_data

    try:
        delete_project_data.apply_async((project_id,), retry=False)
    except Exception as error:  # the broker is away; the schedule purges deleted projects every hour
        log.warning("The data of project %s will be removed later: %s", project_id, error)
