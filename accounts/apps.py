"""People, organizations, projects and what opens them."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = "Accounts"

    def ready(self) -> None:
        from accounts import receivers  # noqa: F401 - connects them
        from config import palette

        palette.register("accounts.views.palette.find_pages")
        palette.register("accounts.views.palette.find_projects")
