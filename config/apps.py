from django.apps import AppConfig
from django.urls import register_converter


class ConfigConfig(AppConfig):
    name = "config"

    def ready(self) -> None:
        # Tasks declared with `shared_task` bind to the app that exists by then.
        from config import celery  # noqa: F401
        from config.converters import IdConverter

        register_converter(IdConverter, "id")
