from typing import Any

from django.apps import AppConfig


class EvalsConfig(AppConfig):
    name = "evals"

    def ready(self) -> None:
        from accounts.signals import project_deleted
        from evals import arrivals
        from evals.actions import additions, datasets, imports, item_acts, rules, score_removal, selected  # noqa: F401 - the kinds of their jobs
        from evals.actions.queue_bulk import check_queue, enqueue
        from evals.queries.queues import list_queue_choices
        from evals.queries.score_configs import find_score_rules, list_score_choices
        from tracing.actions.queueing import set_queueing
        from tracing.ingest.arrivals import add_listener
        from tracing.ingest.score_rules import set_rules_lookup
        from tracing.queries.queue_choices import set_queue_choices
        from tracing.queries.score_choices import set_score_choices

        set_rules_lookup(find_score_rules)
        set_queue_choices(list_queue_choices)
        set_queueing(enqueue, check_queue)
        set_score_choices(list_score_choices)
        add_listener(arrivals.keep)
        project_deleted.connect(_delete_data, dispatch_uid="evals-delete-data")


def _delete_data(project_id: str, **_: Any) -> None:
    from evals.actions.datasets import delete_project_datasets
    from evals.actions.queues import delete_project_queues
    from evals.actions.rules import delete_project_schedules
    from evals.actions.score_configs import delete_project_configs

    delete_project_queues(project_id)
    delete_project_schedules(project_id)
    delete_project_configs(project_id)
    delete_project_datasets(project_id)
