"""Items with a long history: pages and answers read the versions that they show, and no others."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta
from html import unescape

import pytest
from django.urls import reverse

from accounts.access import ProjectScope
from accounts.audit import SYSTEM
from accounts.roles import Role
from evals.actions import items as item_actions
from evals.models import DatasetItem, DatasetItemVersion, Experiment, ExperimentItem
from evals.queries import items
from evals.queries.item_versions import find_version, list_history, said_when_run
from tests.evals.experiment_data import BEGAN, Did, make_dataset, put_run
from tests.factories import make_project
from tests.texts_read import reading

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("analytics_server")]

MANY = 300
SECOND = timedelta(seconds=1)


@pytest.fixture
def scope(workspace):
    return ProjectScope(workspace.project.pk, Role.OWNER, user_id=workspace.alice.pk)


@pytest.fixture
def dataset(project):
    """Of `old` there are 300 versions, a second long each, the last of which is current; `new` has one."""
    dataset = make_dataset(project.pk, items=[("new", "said only", "")])
    write_history(dataset, "old", MANY)
    return dataset


def write_history(dataset, item_id, number):
    item = DatasetItem.objects.create(project_id=dataset.project_id, dataset=dataset, item_id=item_id, created_at=at(0))
    DatasetItemVersion.objects.bulk_create(
        DatasetItemVersion(
            item=item,
            dataset=dataset,
            input_text=f'"said {n}"',
            expected_output_text=f'"hoped {n}"',
            valid_from=at(n),
            valid_to=at(n + 1) if n + 1 < number else None,
        )
        for n in range(number)
    )


def at(number):
    return BEGAN + number * SECOND


def delete(scope, item_id):
    item_actions.delete_item(scope, item_id, actor=SYSTEM)


def page_of(project, dataset, item_id="old"):
    return reverse("evals:dataset-item", args=[project.pk, dataset.pk, item_id])


def links(html, words):
    return [unescape(one) for one in re.findall(rf'href="([^"]+)"[^>]*>{words}', html)]


def test_a_page_of_the_history_is_without_texts(alice, project, dataset):
    with reading("said ") as read:
        page = alice.get(page_of(project, dataset)).content.decode()
    assert len(read) == 1
    assert "said 299" in page
    assert page.count("data-version") == 50
    [older] = links(page, "Older")
    with reading("said ") as read:
        second = alice.get(older).content.decode()
    assert len(read) == 1
    assert second.count("data-version") == 50
    assert "said 299" in second


def test_the_history_is_walked_to_its_end_and_each_version_is_there_once(alice, project, dataset):
    address, shown = page_of(project, dataset), []
    while address:
        page = alice.get(address).content.decode()
        shown += re.findall(r'data-version="(\d+)"', page)
        address = next(iter(links(page, "Older")), "")
    every = DatasetItemVersion.objects.filter(item__item_id="old").order_by("-valid_from")
    assert shown == [str(pk) for pk in every.values_list("pk", flat=True)]
    assert links(page, "Newest") == [page_of(project, dataset)]


def test_an_old_version_is_read_and_compared_and_the_page_of_the_history_stays(alice, project, dataset):
    asked = {"version": at(7).isoformat(), "before": at(20).isoformat()}
    with reading("said ") as read:
        page = alice.get(page_of(project, dataset), asked).content.decode()
    assert len(read) == 1
    assert "said 7" in page
    assert "The item as of" in page
    assert page.count("data-version") == 20
    compare = [unescape(one) for one in re.findall(r'class="button bare compare" href="([^"]+)"', page)]
    assert len(compare) == 19
    with reading("said ") as read:
        compared = alice.get(compare[0]).content.decode()
    assert len(read) == 2
    assert compared.count("data-version") == 20
    assert "What changed between the two versions" in compared
    between = alice.get(page_of(project, dataset), {"compare": (at(7) + SECOND / 2).isoformat()}).content.decode()
    assert "What changed between the two versions" not in between


def test_what_was_not_there_yet_is_not_found(alice, project, dataset, scope):
    assert alice.get(page_of(project, dataset), {"version": at(-1).isoformat()}).status_code == 404
    assert alice.get(page_of(project, dataset, "none")).status_code == 404
    assert find_version(scope, dataset, "o\x00ld") is None
    other = make_project(name="other")
    theirs = ProjectScope(other.pk, Role.OWNER)
    assert find_version(theirs, dataset, "old") is None
    assert list_history(theirs, dataset, "old", limit=5).moments == []


def test_an_item_that_was_deleted_says_what_it_said_last(alice, project, dataset, scope):
    delete(scope, "old")
    page = alice.get(page_of(project, dataset)).content.decode()
    assert "This item was deleted" in page
    assert "said 299" in page
    earlier = alice.get(page_of(project, dataset), {"version": at(3).isoformat()}).content.decode()
    assert "This item was deleted" in earlier
    assert "said 3" in earlier
    assert "Back to now" not in earlier


def test_walks_go_on_by_an_index_behind_items_of_one_moment(dataset, scope, planned_by_indexes):
    place = {"at": at(0).isoformat(), "pk": 7}
    for rows in (
        items.versions(scope, dataset=dataset).filter(items._after(at(0), 7)),
        items.versions(scope, dataset=dataset, as_of=at(500)).order_by("valid_from", "pk").filter(items._behind(place)),
    ):
        plan = rows[:100].explain()
        assert "evals_item_version_by_" in plan
        assert not re.search(r"TEMP B-TREE FOR ORDER BY|Sort Key", plan), plan


def test_walks_lose_nothing_and_repeat_nothing(scope, project):
    dataset = make_dataset(project.pk, "of one moment", [(f"n{number}", number, None) for number in range(250)])
    write_history(dataset, "older", 3)
    down = [item.id for item in items.list_items(scope, dataset)]
    assert down == ["older", *(f"n{number}" for number in reversed(range(250)))]
    up, after = [], {}
    while some := items.next_items(scope, dataset, as_of=at(500), after=after, limit=70):
        up += [item.id for item in some]
        after = items.place_of(some[-1])
    assert up == down[::-1]


# --- Runs -------------------------------------------------------------------------------------------------
@pytest.fixture
def run(project, dataset):
    """Both items ran, the one with the long history twice: as it was in its tenth second, and at no time known."""
    told = put_run(project.pk, "run", [Did("old"), Did("new"), Did("old")], dataset=dataset)
    run = Experiment.objects.get(experiment_id=told)
    first, second = run.items.filter(item_id="old").order_by("pk")
    ExperimentItem.objects.filter(pk=first.pk).update(item_version=at(10))
    ExperimentItem.objects.filter(pk=second.pk).update(item_version=None)
    return run


def test_each_run_has_the_version_that_ran_or_else_the_last(scope, run):
    first, second = run.items.filter(item_id="old").order_by("pk")
    [new] = run.items.filter(item_id="new")
    every = [first.pk, second.pk, new.pk]
    with reading("said ") as read:
        said = said_when_run(scope, every)
    assert len(read) == 3
    assert {pk: one.input for pk, one in said.items()} == {
        first.pk: '"said 10"',
        second.pk: '"said 299"',
        new.pk: '"said only"',
    }
    assert said[first.pk].expected == '"hoped 10"'
    assert said_when_run(ProjectScope(make_project(name="other").pk, Role.OWNER), every) == {}


def test_a_run_of_what_was_deleted_then_has_the_last_version(scope, dataset, run):
    first = run.items.filter(item_id="old").earliest("pk")
    DatasetItemVersion.objects.filter(valid_from=at(10)).delete()
    assert said_when_run(scope, [first.pk])[first.pk].input == '"said 299"'


def test_the_comparison_and_its_export_read_one_version_of_each_item(alice, project, run):
    page = reverse("evals:experiment-compare", args=[project.pk])
    with reading("said ") as read:
        html = alice.get(page, {"baseline": run.experiment_id}).content.decode()
    assert len(read) == 2
    assert "said only" in html
    export = reverse("evals:experiment-export", args=[project.pk])
    with reading("said ") as read:
        answer = alice.get(export, {"baseline": run.experiment_id, "format": "csv"})
        text = b"".join(answer.streaming_content).decode("utf-8-sig")
    assert len(read) == 2
    assert {row["input"] for row in csv.DictReader(io.StringIO(text)) if row["item"] == "new"} == {'"said only"'}
