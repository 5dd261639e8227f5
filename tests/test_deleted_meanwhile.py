"""Somebody deletes what a change needs, at the worst moment: whoever comes second hears of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from accounts.access import ProjectScope, scope_for_task
from accounts.audit import SYSTEM
from config.crew import patiently
from config.database_errors import as_ours
from config.errors import Conflict, NotFound
from evals.actions.queues import QueueFields, create_queue, delete_queue
from evals.actions.score_configs import ScoreConfigFields, create_score_config
from evals.models import QueueItem
from prompts.actions.prompts import NewVersion, create_version, delete_versions, set_tags
from prompts.models import Prompt
from tests.tracing.api_data import make_api
from tracing.actions import dashboards
from tracing.models import Dashboard, Placement, Widget
from tracing.queries.dashboards.definition import GivenWidget
from tracing.queries.dashboards.layout import GivenPlacement

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def meanwhile(act: Callable[[], Any], *, before: str) -> Iterator[Future[Any]]:
    """Somebody else does `act` right before the first statement that begins so. What is done here goes on when that is
    over, or waits for it; what came of it is told afterwards."""
    outcome: Future[Any] = Future()

    def done_by_another() -> None:
        try:
            patiently(lambda: outcome.set_result(act()))
        except Exception as error:
            outcome.set_exception(error)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as thread:
        begun: list[Future[None]] = []

        def begin(execute: Callable[..., Any], sql: str, *about: Any) -> Any:
            if sql.startswith(before) and not begun:
                begun.append(thread.submit(done_by_another))
                wait(begun, timeout=1)
            return execute(sql, *about)

        with connection.execute_wrapper(begin):
            yield outcome
    assert begun


@pytest.fixture
def api():
    return make_api()


@pytest.fixture
def scope(api) -> ProjectScope:
    return scope_for_task(api.project_id)


@pytest.fixture
def widget(scope) -> Widget:
    body = {
        "name": "Calls", "view": "observations", "dimensions": [], "filters": [], "chartType": "NUMBER",
        "metrics": [{"measure": "count", "agg": "count"}], "chartConfig": {"type": "NUMBER"},
    }  # fmt: skip
    return dashboards.create_widget(scope, GivenWidget.model_validate(body), actor=SYSTEM)


@pytest.fixture
def dashboard(scope) -> Dashboard:
    return dashboards.create_dashboard(scope, name="Mine", actor=SYSTEM)


def place(scope: ProjectScope, dashboard: Dashboard, widget: Widget) -> Placement:
    return dashboards.add_placement(scope, dashboard.pk, GivenPlacement(widgetId=widget.pk), actor=SYSTEM)


def test_a_chart_that_is_being_placed_is_not_deleted(scope, dashboard, widget):
    delete = lambda: dashboards.delete_widget(scope, widget.pk, actor=SYSTEM)  # noqa: E731
    with meanwhile(delete, before='INSERT INTO "tracing_placement"') as deleted:
        place(scope, dashboard, widget)
    with pytest.raises(Conflict):
        deleted.result()
    assert dashboard.placements.get().widget == widget


def test_a_chart_that_is_being_deleted_is_not_placed(scope, dashboard, widget):
    with meanwhile(lambda: place(scope, dashboard, widget), before='DELETE FROM "tracing_widget"') as placed:
        dashboards.delete_widget(scope, widget.pk, actor=SYSTEM)
    with pytest.raises(NotFound):
        placed.result()
    assert not dashboard.placements.exists()


def test_a_dashboard_that_is_being_deleted_takes_no_charts(scope, dashboard, widget):
    with meanwhile(lambda: place(scope, dashboard, widget), before='DELETE FROM "tracing_dashboard"') as placed:
        dashboards.delete_dashboard(scope, dashboard.pk, actor=SYSTEM)
    with pytest.raises(NotFound):
        placed.result()
    assert not Dashboard.objects.exists()


def test_a_version_of_a_prompt_that_is_being_deleted_begins_it_anew(scope):
    new = NewVersion(name="greeting", type="text", content="Hello")
    create_version(scope, new, actor=SYSTEM)
    write = lambda: create_version(scope, new, actor=SYSTEM)  # noqa: E731
    with meanwhile(write, before='DELETE FROM "prompts_prompt"') as written:
        delete_versions(scope, "greeting", actor=SYSTEM)
    assert written.result().number == 1
    assert Prompt.objects.get().name == "greeting"


def test_tags_of_a_prompt_that_is_being_deleted_are_not_set(scope):
    create_version(scope, NewVersion(name="greeting", type="text", content="Hello"), actor=SYSTEM)
    tag = lambda: set_tags(scope, "greeting", ["kind"], actor=SYSTEM)  # noqa: E731
    with meanwhile(tag, before='DELETE FROM "prompts_prompt"') as tagged:
        delete_versions(scope, "greeting", actor=SYSTEM)
    with pytest.raises(NotFound):
        tagged.result()


def test_tags_that_are_set_while_a_version_is_written_stay(scope):
    new = NewVersion(name="greeting", type="text", content="Hello")
    create_version(scope, new, actor=SYSTEM)
    write = lambda: create_version(scope, new, actor=SYSTEM)  # noqa: E731
    with meanwhile(write, before='UPDATE "prompts_prompt"') as written:
        set_tags(scope, "greeting", ["kind"], actor=SYSTEM)
    assert written.result().number == 2
    assert Prompt.objects.get().tags == ["kind"]


def test_a_row_that_needs_one_that_is_gone_is_a_conflict(api, scope):
    config = create_score_config(scope, ScoreConfigFields(name="helpful", data_type="BOOLEAN"), actor=SYSTEM)
    queue = create_queue(scope, QueueFields(name="To read", config_ids=(config.pk,)), actor=SYSTEM)
    delete = lambda: delete_queue(scope, queue.pk, actor=SYSTEM)  # noqa: E731
    with meanwhile(delete, before='INSERT INTO "evals_queueitem"') as deleted:
        answer = api("POST", f"annotation-queues/{queue.pk}/items", {"objectId": "t", "objectType": "TRACE"})
    deleted.result()
    # SQLite has one writer at a time: the item was there first, and went with its queue.
    assert answer.status_code == (200 if connection.vendor == "sqlite" else 409), answer.content
    assert not QueueItem.objects.exists()


def test_only_what_was_deleted_is_a_conflict(scope, dashboard):
    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        Placement.objects.create(dashboard_id="gone", preset="cost", x=0, y=0, width=1, height=1)
    assert isinstance(as_ours(refused.value), Conflict)
    dashboards.set_home(scope, dashboard.pk, actor=SYSTEM)
    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        Dashboard.objects.create(project_id=scope.project_id, name="Second", is_home=True)
    assert as_ours(refused.value) is None
