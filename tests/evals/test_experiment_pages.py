"""Pages of experiments, asked for by the Django client: what they show and compare, what forms do, whose they are."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import timedelta
from decimal import Decimal
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
from django.urls import reverse

from accounts.access import scope_for_task
from accounts.models import AuditLog
from config.errors import Unavailable
from evals import arrivals
from evals.models import Experiment
from evals.queries import experiment_comparison, experiment_runs
from tests.evals.experiment_data import BEGAN, Did, make_dataset, put_run, root_of
from tests.factories import make_project
from tests.tracing.page_data import HOSTILE
from tracing.analytics import store
from tracing.analytics.records import Observation, Score

pytestmark = [pytest.mark.usefixtures("analytics_server")]

ITEMS = [(f"i{n}", {"q": n}, f"answer {n}") for n in range(4)]


@pytest.fixture
def dataset(project):
    return make_dataset(project.pk, "folder/capitals", ITEMS)


@pytest.fixture
def runs(project, dataset):
    """A baseline and one that is worse in i0, the same in i1, better in i2, and did not run i3."""
    before = put_run(
        project.pk,
        "before",
        [
            Did("i0", output="alpha", seconds=1, cost="0.001", scores={"quality": 0.9, "ok": True, "kind": "good"}),
            Did("i1", output="beta", seconds=1, cost="0.001", scores={"quality": 0.5, "ok": True, "kind": "good"}),
            Did("i2", output="gamma", seconds=1, cost="0.001", scores={"quality": 0.1, "ok": False, "kind": "bad"}),
            Did("i3", output="delta", seconds=1, cost="0.001", scores={"quality": 0.7, "ok": True, "kind": "good"}),
        ],
        dataset=dataset,
        experiment_description="as it was",
        experiment_metadata={"model": "gpt-4o"},
    )
    after = put_run(
        project.pk,
        "after",
        [
            Did("i0", output="omega", seconds=3, cost="0.002", scores={"quality": 0.2, "ok": False, "kind": "bad"}),
            Did("i1", output="beta", seconds=2, cost="0.002", scores={"quality": 0.5, "ok": True, "kind": "good"}),
            Did("i2", output="gamma", seconds=1, cost="0.002", level="ERROR", scores={"quality": 0.8, "ok": True}),
        ],
        dataset=dataset,
        at=BEGAN + timedelta(days=1),
    )
    return before, after


def compared(client, project, *ids, **query):
    page = reverse("evals:experiment-compare", args=[project.pk])
    params = {"baseline": ids[0], "with": list(ids[1:]), **query}
    return client.get(page, params)


def text_of(html):
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", html)))


def items_of(answer):
    return [item.id for item in answer.context["shown"].items]


def summary_of(answer):
    return {row.metric.id: row.cells for row in answer.context["shown"].summary}


# --- The table of runs ------------------------------------------------------------------------------------
def test_the_table_says_what_each_run_came_to(alice, project, runs):
    page = alice.get(reverse("evals:experiment-list", args=[project.pk]))
    after, before = page.context["runs"].rows
    assert (before.experiment.name, after.experiment.name) == ("before", "after")
    figures = before.figures
    assert (figures.items, figures.runs, figures.errors, after.figures.errors) == (4, 4, 0, 1)
    assert (figures.latency_us, float(figures.cost), float(after.figures.cost)) == (1_000_000, 0.004, 0.006)
    assert figures.scores["quality"].mean == pytest.approx(0.55)
    assert figures.scores["ok"].mean == 0.75
    assert figures.scores["kind"].shares == (("good", 3), ("bad", 1))
    shown = text_of(page.content.decode())
    for words in (
        "before",
        "folder/capitals",
        "as it was",
        "gpt-4o",
        "75%",
        "good 75%",
        "$0.0040",
        "$0.0010",
        "1.00 s",
    ):
        assert words in shown


def test_the_table_of_one_dataset_and_its_order(alice, project, dataset, runs):
    put_run(project.pk, "Zwei 本地", [Did("x")], at=BEGAN - timedelta(days=1))
    page = reverse("evals:experiment-list", args=[project.pk])

    def names(**query):
        return [row.experiment.name for row in alice.get(page, query).context["runs"].rows]

    assert names() == ["after", "before", "Zwei 本地"]
    assert names(sort="created") == ["Zwei 本地", "before", "after"]
    assert names(sort="-name") == ["before", "after", "Zwei 本地"] or names(sort="-name")[0] == "before"
    assert names(sort="nonsense", page="x") == names()
    assert names(dataset=dataset.pk) == ["after", "before"]
    assert names(q="本地") == ["Zwei 本地"]
    assert names(q="gpt-4o") == ["before"]
    assert names(q="nowhere\x00") == []
    assert "Nothing fits" in alice.get(page, {"q": "nowhere"}).content.decode()
    fragment = alice.get(page, {"q": "before"}, headers={"HX-Request": "true", "HX-Target": "experiments"})
    assert fragment.content.decode().lstrip().startswith('<div id="experiments">')


def test_a_run_that_only_the_api_told_of_is_measured_by_its_traces(alice, project, dataset):
    from evals.actions.experiments import RunOfItem, note_runs

    did = Did("i0", seconds=2, cost="0.25", level="ERROR", scores={"quality": 0.5})
    put_run(project.pk, "", [did], is_told=False)
    run = RunOfItem("i0", did.trace_id)
    note_runs(scope_for_task(project.pk), "old", [run], name="old", dataset_id=dataset.pk, at=BEGAN)
    [row] = alice.get(reverse("evals:experiment-list", args=[project.pk])).context["runs"].rows
    assert (row.figures.errors, row.figures.latency_us, float(row.figures.cost)) == (1, 2_000_000, 0.25)
    assert row.figures.scores["quality"].mean == 0.5
    page = compared(alice, project, "old")
    cell = summary_of(page)["latency"][0]
    assert (cell.outcome.mean, summary_of(page)["errors"][0].outcome.mean) == (2_000_000, 1)


def test_the_table_counts_what_the_comparison_counts(alice, project):
    shared = "5" * 32
    run = put_run(project.pk, "shared", [Did("c", cost="0.001", seconds=9, scores={"quality": 0.9})])

    def observation(name, second, *, trace_id=shared, item="", cost="0"):
        at = BEGAN + timedelta(seconds=second)
        told = {"experiment_id": run, "experiment_name": "shared", "experiment_item_id": item} if item else {}
        return Observation(
            project_id=project.pk,
            id=name,
            trace_id=trace_id,
            start_time=at,
            end_time=at + timedelta(seconds=1),
            total_cost=Decimal(cost),
            experiment_item_root_id=name if item else "",
            row_version=1,
            **told,
        )

    rows = [
        observation("a", 0, item="a"),
        observation("of-another-service", 0.5, cost="0.5"),
        observation("between", 1.5, cost="3"),
        observation("b", 2, item="b"),
        observation("elsewhere", 2, trace_id="6" * 32, cost="7"),
    ]
    given = [("a", 0), ("b", 0), ("of-another-service", 1)]
    scores = [
        Score(
            project_id=project.pk, id=f"s-{place}", trace_id=shared, observation_id=place, name="quality", value=value,
            timestamp=BEGAN, row_version=1,
        )
        for place, value in given
    ]  # fmt: skip
    store.insert(observations=rows, scores=scores)
    arrivals.keep(scope_for_task(project.pk), rows)
    arrivals.work()

    [row] = alice.get(reverse("evals:experiment-list", args=[project.pk])).context["runs"].rows
    assert (row.figures.items, row.figures.cost) == (3, Decimal("0.501"))
    assert (row.figures.scores["quality"].count, row.figures.scores["quality"].mean) == (3, pytest.approx(0.3))
    page = compared(alice, project, run)
    [cost], [quality] = (summary_of(page)[metric] for metric in ("cost", "score:quality"))
    assert (cost.text, quality.text) == ("$0.1670", "0.30")


def test_the_table_is_there_while_the_store_is_away(alice, project, runs, monkeypatch):
    def away(*_args, **_kwargs):
        raise Unavailable("away")

    monkeypatch.setattr(experiment_runs.store, "rows", away)
    page = alice.get(reverse("evals:experiment-list", args=[project.pk]))
    assert page.status_code == 200
    assert "Costs and scores cannot be read right now" in page.content.decode()
    assert [row.figures.items for row in page.context["runs"].rows] == [3, 4]


def test_nothing_yet(alice, bob, project):
    page = reverse("evals:experiment-list", args=[project.pk])
    assert "run_experiment" in alice.get(page).content.decode()
    assert reverse("evals:experiment-new", args=[project.pk]) in alice.get(page).content.decode()
    assert reverse("evals:experiment-new", args=[project.pk]) not in bob.get(page).content.decode()


# --- The comparison ---------------------------------------------------------------------------------------
def test_runs_are_laid_beside_each_other(alice, project, runs):
    page = compared(alice, project, *runs)
    assert items_of(page) == ["i0", "i1", "i2", "i3"]
    first = page.context["shown"].items[0]
    assert (first.input, first.expected) == ('{\n  "q": 0\n}', "answer 0")
    before, after = first.cells
    assert (before.output, after.output) == ("alpha", "omega")
    values = {value.label: value for value in after.values}
    assert (values["quality"].text, values["quality"].delta.text, values["quality"].delta.css) == (
        "0.20",
        "−0.70",
        "bad",
    )
    assert (values["ok"].text, values["ok"].delta.text) == ("false", "")
    assert (values["Latency"].text, values["Latency"].delta.text, values["Latency"].delta.css) == (
        "3.00 s",
        "+2.00 s",
        "bad",
    )
    # The judge that the client ran afterwards cost five dollars, which is no part of what is judged.
    assert (values["Cost"].text, values["Cost"].delta.text) == ("$0.0020", "+$0.0010")
    assert page.context["shown"].items[3].cells[1] is None
    said = text_of(page.content.decode())
    assert "did not run" in said


def test_the_summary_counts_wins_ties_and_losses(alice, project, runs):
    summary = summary_of(compared(alice, project, *runs))
    quality = summary["score:quality"][1].outcome
    assert (quality.wins, quality.ties, quality.losses) == (1, 1, 1)
    assert quality.mean == pytest.approx(0.5)
    assert quality.delta == pytest.approx(0.0)
    assert summary["latency"][1].outcome.losses == 2
    assert summary["errors"][1].outcome.mean == pytest.approx(1 / 3)
    assert summary["score:kind"][0].shares == [("good", "75%"), ("bad", "25%")]
    assert summary["cost"][0].total == "$0.0040"


def test_whether_it_may_be_chance_comes_as_a_part(alice, project, dataset):
    items = [f"x{n}" for n in range(40)]
    one = put_run(
        project.pk,
        "one",
        [
            Did(name, scores={"q": 0.2 + n / 100, "few": 0.1} if n < 3 else {"q": 0.2 + n / 100})
            for n, name in enumerate(items)
        ],
    )
    two = put_run(
        project.pk,
        "two",
        [
            Did(name, scores={"q": 0.4 + n / 90, "few": 0.9} if n < 3 else {"q": 0.4 + n / 90})
            for n, name in enumerate(items)
        ],
    )
    page = compared(alice, project, one, two)
    assert summary_of(page)["score:q"][1].verdict == ""
    [href] = re.findall(r'id="summary"[^>]*hx-get="([^"]+)"', page.content.decode())
    address = reverse("evals:experiment-compare", args=[project.pk]) + unescape(href)
    part = alice.get(address, headers={"HX-Request": "true", "HX-Target": "summary"}).content.decode()
    said = text_of(part)
    assert part.lstrip().startswith('<section class="x-summary"')
    assert "p < 0.001" in said
    assert "paired t-test over 40 items" in said
    assert "too few pairs to tell (3; it takes 6)" in said
    assert "hx-trigger" not in part
    flipped = alice.get(address + "&low=score:q")
    assert summary_of(flipped)["score:q"][1].verdict == "worse"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"sort": "score:quality"}, ["i0", "i1", "i2", "i3"]),
        ({"sort": "score:quality", "low": "score:quality"}, ["i2", "i1", "i0", "i3"]),
        ({"sort": "latency"}, ["i0", "i1", "i2", "i3"]),
        ({"sort": "score:kind"}, ["i0", "i1", "i2", "i3"]),
        ({"sort": "nonsense"}, ["i0", "i1", "i2", "i3"]),
        ({"items": "both"}, ["i0", "i1", "i2"]),
        ({"where": "1:lt:0.6:score:quality"}, ["i0", "i1"]),
        ({"where": ["1:lt:0.6:score:quality", "0:gte:0.9:score:quality"]}, ["i0"]),
        ({"where": "1:gt:1.5:latency"}, ["i0", "i1"]),
        ({"where": "1:eq:1:errors"}, ["i2"]),
        ({"where": "0:is:bad:score:kind"}, ["i2"]),
        ({"where": "0:not:bad:score:kind"}, ["i0", "i1", "i3"]),
        ({"where": "0:lte:0.001:cost"}, ["i0", "i1", "i2", "i3"]),
        ({"where": "5:lt:1:cost"}, []),
        ({"where": ["nonsense", "0:lt:x:cost", "0:like:1:cost"]}, ["i0", "i1", "i2", "i3"]),
    ],
)
def test_which_items_in_which_order(alice, project, runs, query, found):
    assert items_of(compared(alice, project, *runs, **query)) == found


@pytest.mark.parametrize("name", ["kind", "kind: of it"])
def test_categories_with_colons_are_found(alice, project, name):
    dids = [Did(f"i{n}", scores={name: value}) for n, value in enumerate(["error: timeout", "error", "12:30"])]
    run = put_run(project.pk, "one", dids)

    def found(operator, value):
        return items_of(compared(alice, project, run, where=f"0:{operator}:{value}:score:{name}"))

    assert found("is", "error: timeout") == ["i0"]
    assert found("is", "12:30") == ["i2"]
    assert found("not", "error: timeout") == ["i1", "i2"]
    form = {"baseline": run, "run": "0", "metric": f"score:{name}", "op": "is", "value": "error: timeout"}
    answer = alice.get(reverse("evals:experiment-compare", args=[project.pk]), form, follow=True)
    assert items_of(answer) == ["i0"]


def test_the_worst_of_one_run_comes_first(alice, project, runs):
    assert items_of(compared(alice, project, runs[0], sort="score:quality")) == ["i2", "i1", "i3", "i0"]


def test_a_form_is_led_to_the_address_of_what_it_asks(alice, project, runs):
    page = reverse("evals:experiment-compare", args=[project.pk])
    form = {"baseline": runs[0], "with": runs[1], "run": "1", "metric": "score:quality", "op": "lt", "value": "0.6"}
    answer = alice.get(page, form)
    assert parse_qs(urlsplit(answer["Location"]).query) == {
        "baseline": [runs[0]],
        "with": [runs[1]],
        "where": ["1:lt:0.6:score:quality"],
    }
    # In a list the newest stands first, and it is the older one that it is compared with.
    chosen = alice.get(page, {"id": [runs[1], runs[0]]})
    assert parse_qs(urlsplit(chosen["Location"]).query) == {"baseline": [runs[0]], "with": [runs[1]]}
    assert alice.get(page)["Location"] == reverse("evals:experiment-list", args=[project.pk])


def test_links_change_one_thing_of_the_address(alice, project, runs):
    query = {"where": "1:lt:0.6:score:quality", "sort": "latency", "layout": "list", "diff": "expected"}
    page = compared(alice, project, *runs, **query)
    shown = page.context["shown"]
    swapped = parse_qs(shown.runs[1].baseline_url[1:])
    assert (swapped["baseline"], swapped["with"], swapped["where"]) == (
        [runs[1]],
        [runs[0]],
        ["0:lt:0.6:score:quality"],
    )
    alone = parse_qs(shown.runs[1].without_url[1:])
    assert not {"with", "where"} & alone.keys()
    assert parse_qs(shown.runs[0].without_url[1:])["baseline"] == [runs[1]]
    assert "where" not in parse_qs(shown.conditions[0].remove_url[1:])
    assert "B: quality < 0.6" in text_of(page.content.decode())


def test_outputs_as_differences(alice, project, runs):
    def differences(diff):
        shown = compared(alice, project, *runs, diff=diff).context["shown"]
        return [
            [cell and cell.difference and (cell.difference.removed, cell.difference.added) for cell in item.cells]
            for item in shown.items
        ]

    assert differences("baseline") == [[None, (1, 1)], [None, (0, 0)], [None, (0, 0)], [None, None]]
    assert differences("expected")[0] == [(1, 1), (1, 1)]


def test_repetitions_are_a_mean_with_its_spread_and_each_can_be_opened(alice, project, dataset):
    again = [Did("i0", scores={"quality": value, "ok": value > 0.4}) for value in (0.2, 0.4, 0.6)]
    run = put_run(project.pk, "thrice", again, dataset=dataset)
    page = compared(alice, project, run, layout="list")
    [item] = page.context["shown"].items
    values = {value.label: value for value in item.cells[0].values}
    assert (values["quality"].text, values["quality"].spread, values["ok"].text) == ("0.40", "± 0.20", "33.3%")
    html = page.content.decode()
    assert "mean of 3 runs" in text_of(html)
    for did in again:
        assert f'data-trace="{did.trace_id}" data-observation="{root_of(did.trace_id)}"' in html


def test_pages_of_items(alice, project):
    run = put_run(project.pk, "long", [Did(f"n{number:03}") for number in range(120)])
    first, last = compared(alice, project, run), compared(alice, project, run, page="99")
    assert (len(items_of(first)), items_of(last)[-1], len(items_of(last))) == (50, "n119", 20)
    assert (first.context["previous_url"], last.context["next_url"]) == ("", "")
    assert "page=2" in first.context["next_url"]


def test_what_is_hostile_is_only_text(alice, project):
    did = Did(HOSTILE, output=HOSTILE, input=HOSTILE, expected=HOSTILE, scores={HOSTILE: HOSTILE, "n": 1})
    run = put_run(project.pk, HOSTILE, [did], experiment_description=HOSTILE, experiment_metadata={HOSTILE: HOSTILE})
    pages = [alice.get(reverse("evals:experiment-list", args=[project.pk]))]
    pages += [compared(alice, project, run, diff="expected", layout=layout) for layout in ("grid", "list")]
    pages += [compared(alice, project, run, where=f"0:is:{HOSTILE}:score:{HOSTILE}")]
    pages += [alice.get(reverse("evals:experiment-delete", args=[project.pk]), {"id": run})]
    for page in pages:
        assert page.status_code == 200
        assert "<script>alert" not in page.content.decode()
        assert "<img src=x" not in page.content.decode()


@pytest.mark.parametrize(
    "query",
    [
        {"page": "-1", "layout": "x", "diff": "x", "items": "x", "significance": "x"},
        {"low": ["\x00"] * 50, "where": ["\x00"] * 50, "sort": "\x00"},
        {"with": ["nobody", "\x00", ""]},
        {"peek": "<script>", "observation": "x"},
    ],
)
def test_nonsense_is_dropped(alice, project, runs, query):
    page = reverse("evals:experiment-compare", args=[project.pk])
    assert alice.get(page, {"baseline": runs[0], **query}).status_code == 200


def test_while_the_store_is_away(alice, project, runs, monkeypatch):
    def away(*_args, **_kwargs):
        raise Unavailable("away")

    monkeypatch.setattr(experiment_comparison, "measured_and_scored", away)
    page = compared(alice, project, *runs)
    assert "The analytics store does not answer" in page.content.decode()


# --- Files ------------------------------------------------------------------------------------------------
def test_a_comparison_as_a_file(alice, project, runs):
    page = reverse("evals:experiment-export", args=[project.pk])
    query = {"baseline": runs[0], "with": runs[1], "items": "both", "sort": "score:quality"}
    answer = alice.get(page, {**query, "format": "csv"})
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"))))
    assert [(row["item"], row["experiment"]) for row in rows] == [
        (item, run) for item in ("i0", "i1", "i2") for run in ("before", "after")
    ]
    assert (rows[1]["output"], rows[1]["scores.quality"], rows[1]["latency"], rows[1]["cost"]) == (
        "omega",
        "0.2",
        "3.0",
        "0.002",
    )
    lines = [
        json.loads(line)
        for line in b"".join(alice.get(page, {**query, "format": "jsonl"}).streaming_content).splitlines()
    ]
    assert lines[1]["scores"] == {"quality": 0.2, "ok": 0.0, "kind": "bad"}
    assert (lines[1]["expected_output"], lines[5]["is_error"]) == ('"answer 0"', True)
    assert alice.get(page, {**query, "format": "xls"}).status_code == 404


# --- Deleting ---------------------------------------------------------------------------------------------
def test_deleting_asks_first_and_leaves_the_traces(alice, project, runs):
    asked = alice.get(reverse("evals:experiment-delete", args=[project.pk]), {"id": list(runs)})
    assert "Delete these 2 experiments?" in asked.content.decode()
    assert Experiment.objects.count() == 2
    confirm = reverse("evals:experiment-delete-confirm", args=[project.pk])
    assert alice.get(confirm).status_code == 302
    answer = alice.post(confirm, {"id": [runs[0]]}, follow=True)
    assert "“before” is deleted." in answer.content.decode()
    assert [one.name for one in Experiment.objects.all()] == ["after"]
    assert AuditLog.objects.get(action="experiment.delete").before["items"] == 4
    assert compared(alice, project, runs[0]).status_code == 404


# --- Whose they are ---------------------------------------------------------------------------------------
def test_viewers_look_and_change_nothing(bob, project, runs):
    assert compared(bob, project, *runs).status_code == 200
    html = bob.get(reverse("evals:experiment-list", args=[project.pk])).content.decode()
    assert "data-delete" not in html
    assert bob.get(reverse("evals:experiment-delete", args=[project.pk]), {"id": runs[0]}).status_code == 403
    confirm = reverse("evals:experiment-delete-confirm", args=[project.pk])
    assert bob.post(confirm, {"id": runs[0]}).status_code == 403
    assert Experiment.objects.count() == 2


def test_strangers_see_nothing(charlie, alice, workspace, project, runs):
    for name in ("list", "compare", "export", "delete"):
        page = reverse(f"evals:experiment-{name}", args=[project.pk])
        assert charlie.get(page, {"baseline": runs[0], "id": runs[0]}).status_code == 404
    other = make_project("Other", organization=workspace.organization)
    assert compared(alice, other, *runs).status_code == 404
    own = put_run(other.pk, "own", [Did("i0")])
    page = compared(alice, other, own, runs[1])
    assert len(page.context["shown"].runs) == 1
    assert "omega" not in page.content.decode()


def test_addresses_that_sdks_print(alice, project, dataset, runs):
    page = f"{reverse('evals:experiment-compare', args=[project.pk])}?baseline={runs[0]}"
    assert alice.get(f"/project/{project.pk}/experiments/results?baseline={runs[0]}")["Location"] == page
    assert alice.get(f"/project/{project.pk}/datasets/{dataset.pk}/runs/{runs[0]}")["Location"] == page
    assert alice.get(page).status_code == 200


# --- One item ---------------------------------------------------------------------------------------------
def test_the_page_of_an_item_tells_where_it_ran(alice, bob, project, dataset, runs):
    elsewhere = make_project("Elsewhere", organization=project.organization)
    theirs = make_dataset(elsewhere.pk, "theirs", ITEMS)
    put_run(elsewhere.pk, "foreign", [Did("i2", output="secret")], dataset=theirs)
    page = reverse("evals:dataset-item", args=[project.pk, dataset.pk, "i2"])
    shown = alice.get(page).content.decode()
    words = text_of(shown).partition("Where it ran")[2]
    assert words.index("after") < words.index("before")
    for part in ("gamma", "Error", "quality 0.8", "quality 0.1", "1.00 s"):
        assert part in words
    assert "secret" not in words
    assert f"baseline={runs[1]}" in shown
    assert "Where it ran" in bob.get(page).content.decode()
    lonely = make_dataset(project.pk, "lonely", [("alone", 1, 2)])
    page = reverse("evals:dataset-item", args=[project.pk, lonely.pk, "alone"])
    assert "Where it ran" not in alice.get(page).content.decode()
