from django.apps import AppConfig


class ConfigConfig(AppConfig):
    name = "config"

    def ready(self) -> None:
        # Tasks declared with `shared_task` bind to the app that exists by then.
        from config import celery  # noqa: F401
