"""Scores by their pages: filters, deletion, export, and numbers that other libraries confirm."""

from __future__ import annotations

import csv
import io
import json
import random
import re
from datetime import UTC, datetime, timedelta

import numpy
import pytest
from django.http import QueryDict
from django.urls import reverse
from scipy import stats
from sklearn import metrics

from accounts.access import ProjectScope
from accounts.audit import SYSTEM, Actor
from accounts.models import AuditLog
from accounts.roles import Role
from config.errors import Invalid
from evals.actions import score_removal
from evals.actions.score_removal import start_score_deletion
from evals.queries import score_analytics
from evals.queries.score_analytics import ScoreKey, analyse
from evals.queries.score_filters import exact_scores_from, scores_from
from evals.queries.scores import each_score
from evals.statistics.agreement import compare_labels, compare_numbers
from tests.factories import make_project
from tests.tracing.page_data import put_trace
from tracing.analytics import store
from tracing.analytics.records import Score
from tracing.models import JobStatus
from tracing.queries.periods import RANGES, Period

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("analytics_server")]

NOW = datetime.now(UTC)
ALL = Period.named("all")
HOSTILE = "<script>alert(1)</script>\"'&"


@pytest.fixture
def scope(workspace):
    return ProjectScope(workspace.project.pk, Role.OWNER, user_id=workspace.alice.pk)


def url(view, project, *args, **query):
    return reverse(f"evals:{view}", args=[project.pk, *args], query=query or None)


def put(project, **fields):
    number = put.number = getattr(put, "number", 0) + 1
    given = {"id": f"s{number:04}", "timestamp": NOW - timedelta(minutes=number), "name": "helpful", "value": 1.0}
    given["created_at"] = NOW - timedelta(seconds=5)
    score = Score(project_id=project.pk, row_version=1, **{**given, **fields})
    store.insert(scores=[score])
    return score


def ids_on(page):
    return re.findall(r'<tr id="score-([^"]+)"', page.content.decode())


# --- The list -------------------------------------------------------------------------------------------
def test_who_sees_and_who_deletes(client, alice, bob, charlie, workspace):
    score = put(workspace.project, trace_id="t")
    project = workspace.project
    addresses = [url("score-list", project), url("score-analytics", project), url("score-export", project, "csv")]
    for address in addresses:
        assert client.get(address).status_code == 302
        assert charlie.get(address).status_code == 404
        assert {one.get(address).status_code for one in (alice, bob)} == {200}
    target = url("score-delete-many", project)
    assert bob.post(target, {"item": score.id, "confirmed": "1"}).status_code == 403
    assert charlie.post(target, {"item": score.id, "confirmed": "1"}).status_code == 404
    assert ids_on(alice.get(addresses[0])) == [score.id]


def test_filters_narrow_and_foreign_scores_never_show(alice, workspace):
    project = workspace.project
    trace = put_trace(project.pk, name="chat", user_id="anna", session_id="talk", tags=["vip"])
    judged = put(project, trace_id=trace.id, value=0.2, source="EVAL", comment="too short", environment="prod")
    by_hand = put(
        project, trace_id=trace.id, observation_id="o", name="tone", data_type="CATEGORICAL", value=2.0,
        string_value="warm", source="ANNOTATION", author_user_id=workspace.alice.pk,
    )  # fmt: skip
    of_session = put(project, session_id="talk", value=9.0)
    of_run = put(project, dataset_run_id="run", name="mean", value=0.5)
    put(make_project(), trace_id=trace.id)
    everything = [judged, by_hand, of_session, of_run]
    for query, expected in (
        ({}, everything),
        ({"name": "helpful"}, [judged, of_session]),
        ({"name": ["helpful", "mean"]}, [judged, of_session, of_run]),
        ({"source": "EVAL"}, [judged]),
        ({"type": "CATEGORICAL"}, [by_hand]),
        ({"kind": "trace"}, [judged]),
        ({"kind": "observation"}, [by_hand]),
        ({"kind": ["session", "run"]}, [of_session, of_run]),
        ({"value": "warm"}, [by_hand]),
        ({"environment": "prod"}, [judged]),
        ({"author": workspace.alice.pk}, [by_hand]),
        ({"low": "0.5"}, [of_session, of_run]),
        ({"low": "0.1", "high": "0.5"}, [judged, of_run]),
        ({"trace_name": "chat"}, [judged, by_hand]),
        ({"user": "anna", "tag": "vip"}, [judged, by_hand]),
        ({"tag": "nobody"}, []),
        ({"session": "talk"}, [judged, by_hand, of_session]),
        ({"low": "nonsense"}, everything),
    ):
        found = alice.get(url("score-list", project), {"range": "all", **query})
        assert ids_on(found) == [score.id for score in expected], query
    page = alice.get(url("score-list", project), {"range": "all"}).content.decode()
    assert "too short" in page
    assert f"/traces/{trace.id}/?observation=o" in page
    assert "/sessions/talk/" in page
    assert alice.get(url("score-list", project), {"before": "nonsense"}).status_code == 400


def test_facets_count_under_all_conditions_but_their_own(alice, workspace):
    project = workspace.project
    for source, name, count in (("EVAL", "a", 3), ("EVAL", "b", 1), ("API", "a", 2)):
        for _number in range(count):
            put(project, name=name, source=source, trace_id="t")
    page = alice.get(url("score-list", project), {"range": "all", "source": "EVAL"}).content.decode()
    counted = re.findall(r'<span class="value" title="([^"]*)">[^<]*</span></a><span class="num">(\d+)', page)
    assert {("a", "3"), ("b", "1"), ("Judge", "4"), ("API", "2")} <= set(counted)


def test_hostile_words_are_only_words(alice, workspace):
    put(workspace.project, name=HOSTILE, comment=HOSTILE, environment="x", trace_id=HOSTILE, source="EVAL")
    put(workspace.project, name="c", data_type="CATEGORICAL", string_value=HOSTILE, session_id=HOSTILE)
    for address in (
        url("score-list", workspace.project, range="all", name=HOSTILE, user=HOSTILE),
        url("score-list", workspace.project, range="all"),
        url("score-analytics", workspace.project, range="all", score1=f"EVAL:NUMERIC:{HOSTILE}"),
        url("score-analytics", workspace.project, range="all", score1="API:CATEGORICAL:c", score2="API:CATEGORICAL:c"),
    ):
        page = alice.get(address)
        assert page.status_code == 200
        assert HOSTILE not in page.content.decode()


def test_the_list_goes_on_by_key(alice, workspace):
    scores = [put(workspace.project, trace_id="t") for _number in range(51)]
    first = alice.get(url("score-list", workspace.project, range="all"))
    cursor = re.search(r'rel="next" href="[^"]*before=([^"&]+)', first.content.decode())[1]
    rest = alice.get(f"{url('score-list', workspace.project)}?range=all&before={cursor}")
    assert ids_on(first) + ids_on(rest) == [score.id for score in scores]


def test_exports_are_whole_and_harmless(alice, workspace):
    project = workspace.project
    trace = put_trace(project.pk, name="=chat", user_id="anna")
    put(project, trace_id=trace.id, comment='=HYPERLINK("x")', value=0.25)
    put(project, session_id="s", data_type="BOOLEAN", string_value="True", value=1.0)
    lines = b"".join(alice.get(url("score-export", project, "jsonl", range="all"))).decode().splitlines()
    rows = [json.loads(line) for line in lines]
    assert [(row["value"], row["traceName"], row["userId"]) for row in rows] == [(0.25, "=chat", "anna"), (1.0, "", "")]
    text = b"".join(alice.get(url("score-export", project, "csv", range="all", source="API"))).decode("utf-8-sig")
    table = list(csv.DictReader(io.StringIO(text)))
    assert [row["comment"] for row in table] == ['\'=HYPERLINK("x")', ""]
    assert alice.get(url("score-export", project, "xls")).status_code == 404
    assert alice.get(url("score-export", project, "csv", low="x")).status_code == 400


def test_ticked_ones_and_all_that_match_are_deleted(alice, workspace, scope):
    project = workspace.project
    kept, *gone = [put(project, trace_id="t", name=name) for name in ("keep", "bad", "bad", "bad")]
    foreign = put(make_project(), trace_id="t", name="bad")
    target = url("score-delete-many", project)
    assert alice.post(target, {}).status_code == 400
    asked = alice.post(target, {"item": gone[0].id, "query": "range=all"}).content.decode()
    assert "Delete 1 score?" in asked
    alice.post(target, {"item": [gone[0].id, foreign.id], "query": "range=all", "confirmed": "1"})
    assert ids_on(alice.get(url("score-list", project, range="all"))) == [kept.id, gone[1].id, gone[2].id]
    asked = alice.post(target, {"all": "1", "query": "range=all&name=bad"}).content.decode()
    assert "Delete 2 scores?" in asked
    done = alice.post(target, {"all": "1", "query": "range=all&name=bad", "confirmed": "1"})
    assert done.headers["Location"].endswith("?range=all&name=bad")
    assert ids_on(alice.get(url("score-list", project, range="all"))) == [kept.id]
    assert AuditLog.objects.filter(action="score.delete", project_id=project.pk).count() == 2
    assert ids_in(ProjectScope(foreign.project_id, Role.OWNER)) == [foreign.id]
    for query in ("low=x", "range=soon", "name=a%00", "from=yesterday"):
        assert alice.post(target, {"all": "1", "query": query, "confirmed": "1"}).status_code == 400
    with pytest.raises(Invalid):
        start_score_deletion(scope, ids=(), actor=SYSTEM)


def ids_in(scope):
    return [row.score.id for batch in each_score(scope, scores_from(QueryDict("range=all"), ALL)) for row in batch]


def test_a_deletion_takes_steps_and_leaves_what_came_later(workspace, scope, monkeypatch):
    monkeypatch.setattr(score_removal, "_AT_A_TIME", 2)
    for _number in range(5):
        put(workspace.project, trace_id="t")
    later = put(workspace.project, trace_id="t", created_at=NOW + timedelta(hours=1))
    job = start_score_deletion(scope, query="range=all", actor=Actor(workspace.alice.pk, "alice"))
    job.refresh_from_db()
    assert (job.status, job.total, job.done) == (JobStatus.DONE, 5, 5)
    assert ids_in(scope) == [later.id]


def test_a_deletion_of_the_last_hour_is_of_that_hour_however_long_it_takes(workspace, scope, monkeypatch):
    monkeypatch.setattr(score_removal, "_AT_A_TIME", 2)
    for _number in range(5):
        put(workspace.project, trace_id="t", timestamp=NOW - timedelta(minutes=30))
    monkeypatch.setattr(score_removal, "_AT_ONCE_SECONDS", 600.0)
    delete = score_removal.delete_scores

    def slow(*given):
        delete(*given)
        monkeypatch.setitem(RANGES, "1h", timedelta(minutes=1))  # as if the first ones had gone out of it meanwhile

    monkeypatch.setattr(score_removal, "delete_scores", slow)
    job = start_score_deletion(scope, query="range=1h", actor=Actor(workspace.alice.pk, "alice"))
    job.refresh_from_db()
    assert (job.status, job.total, job.done) == (JobStatus.DONE, 5, 5)


def test_exact_filters_are_those_of_the_list():
    query = QueryDict("range=all&name=a&name=b&low=0.5&user=anna")
    assert exact_scores_from(query) == scores_from(query, ALL)


# --- Analytics ------------------------------------------------------------------------------------------
def fill_pairs(project, count=300):
    """Two judges about the same traces: numbers that agree somewhat, and labels that mostly do."""
    chance = random.Random(5)
    numbers, labels = [], []
    for place in range(count):
        trace_id = f"t{place}"
        at = NOW - timedelta(hours=place)
        first = round(chance.uniform(0, 10), 2)
        second = round(first * 0.7 + chance.gauss(0, 1.5), 2)
        label = chance.choice(["bad", "fair", "good"])
        other = label if chance.random() < 0.7 else chance.choice(["bad", "fair", "good"])
        numbers.append((first, second))
        labels.append((label, other))
        rows = [
            ("help", "EVAL", "NUMERIC", first, ""),
            ("help", "ANNOTATION", "NUMERIC", second, ""),
            ("grade", "EVAL", "CATEGORICAL", float(["bad", "fair", "good"].index(label)), label),
            ("grade", "ANNOTATION", "CATEGORICAL", float(["bad", "fair", "good"].index(other)), other),
        ]
        store.insert(
            scores=[
                Score(
                    project_id=project.pk, id=f"{source}{name}{place}", timestamp=at, name=name, trace_id=trace_id,
                    source=source, data_type=kind, value=value, string_value=text, row_version=1,
                )
                for name, source, kind, value, text in rows
            ]
        )  # fmt: skip
    return numbers, labels


def measures_of(page):
    text = page.content.decode()
    return dict(re.findall(r"<dt>([^<]*)</dt><dd><b class=\"num\">([^<]*)</b>", text))


def row_of(page, label):
    """The numbers of a line of the first table."""
    line = re.search(rf'<th scope="row">{label}</th>(.*?)</tr>', page.content.decode(), re.DOTALL)[1]
    return [re.sub("<[^>]*>", "", cell).strip() for cell in re.findall(r"<td[^>]*>(.*?)</td>", line, re.DOTALL)]


def test_numbers_agree_with_scipy_and_numpy(alice, workspace):
    numbers, _labels = fill_pairs(workspace.project)
    first, second = (numpy.array([pair[side] for pair in numbers]) for side in (0, 1))
    put(workspace.project, name="help", source="EVAL", trace_id="alone", value=5.0)
    page = alice.get(
        url(
            "score-analytics",
            workspace.project,
            range="all",
            score1="EVAL:NUMERIC:help",
            score2="ANNOTATION:NUMERIC:help",
        )
    )
    assert page.status_code == 200
    assert measures_of(page) == {
        "Pearson’s r": f"{stats.pearsonr(first, second).statistic:.3f}",
        "Spearman’s ρ": f"{stats.spearmanr(first, second).statistic:.3f}",
        "Mean absolute error": f"{metrics.mean_absolute_error(first, second):.3f}",
        "Root mean square error": f"{metrics.root_mean_squared_error(first, second):.3f}",
    }
    assert row_of(page, "Count") == ["301", "300"]
    with_alone = numpy.append(first, 5.0)
    shown = [float(value) for value in row_of(page, "Mean")]
    assert shown == pytest.approx([with_alone.mean(), second.mean()], abs=1e-4)
    shown = [float(value) for value in row_of(page, "Median")]
    assert shown == pytest.approx([numpy.median(with_alone), numpy.median(second)], abs=1e-4)
    shown = [float(value) for value in row_of(page, "Standard deviation")]
    assert shown == pytest.approx([with_alone.std(ddof=1), second.std(ddof=1)], abs=1e-4)
    assert "300 things have both scores. Only the first: 1, only the second: 0." in " ".join(
        page.content.decode().split()
    )
    heat = numpy.histogram2d(first, second, bins=10)[0].astype(int)[::-1]
    assert cells_of(page) == heat.tolist()


def cells_of(page):
    matrix = re.search(r'<table class="matrix">.*?<tbody>(.*?)</tbody>', page.content.decode(), re.DOTALL)[1]
    rows = re.findall(r"<tr>(.*?)</tr>", matrix, re.DOTALL)
    return [
        [0 if "·" in cell else int(cell.split("<")[0]) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL)]
        for row in rows
    ]


def test_labels_agree_with_scikit_learn(alice, workspace):
    _numbers, labels = fill_pairs(workspace.project)
    first, second = ([pair[side] for pair in labels] for side in (0, 1))
    keys = {"score1": "EVAL:CATEGORICAL:grade", "score2": "ANNOTATION:CATEGORICAL:grade"}
    page = alice.get(url("score-analytics", workspace.project, range="all", **keys))
    assert measures_of(page) == {
        "Agreement": f"{metrics.accuracy_score(first, second):.1%}",
        "Cohen’s κ": f"{metrics.cohen_kappa_score(first, second):.3f}",
        "F1, macro": f"{metrics.f1_score(first, second, average='macro'):.3f}",
        "F1, weighted": f"{metrics.f1_score(first, second, average='weighted'):.3f}",
    }
    expected = metrics.confusion_matrix(first, second, labels=["bad", "fair", "good"])
    assert cells_of(page) == expected.tolist()
    mode, number = stats.mode([["bad", "fair", "good"].index(label) for label in first])
    assert row_of(page, "Most often")[0].split() == [["bad", "fair", "good"][mode], f"{number / 300:.0%}"]


def test_a_matrix_of_very_many_labels_is_folded_and_the_measures_are_of_all(alice, workspace):
    usual = [("yes", "yes")] * 3 + [("no", "no"), ("no", "yes")] * 2
    rare = [(f"{number}", f"{number if number % 2 else number + 1}") for number in range(300)]
    first, second = ([pair[side] for pair in usual + rare] for side in (0, 1))
    found = compare_labels(first, second, most=2)
    assert (found.labels, found.others) == (("no", "yes"), 300)
    assert found.matrix == ((2, 2, 0), (0, 3, 0), (0, 0, 300))
    expected = (
        metrics.accuracy_score(first, second),
        metrics.cohen_kappa_score(first, second),
        metrics.f1_score(first, second, average="macro", zero_division=0),
        metrics.f1_score(first, second, average="weighted", zero_division=0),
    )
    assert (found.agreement, found.kappa, found.f1_macro, found.f1_weighted) == pytest.approx(expected)

    for number in range(23):
        for source in ("EVAL", "API"):
            said = {"data_type": "CATEGORICAL", "string_value": f"l{number:02}", "value": None, "source": source}
            put(workspace.project, name="topic", trace_id=f"t{number}", **said)
    keys = {"score1": "EVAL:CATEGORICAL:topic", "score2": "API:CATEGORICAL:topic"}
    page = alice.get(url("score-analytics", workspace.project, range="all", **keys))
    rows = cells_of(page)
    assert len(rows) == len(rows[0]) == 21
    assert rows[20][20] == 3
    assert page.content.decode().count("3 others") == 4
    assert page.content.decode().count(' same"') == 20


def test_numbers_that_cannot_be_computed_with_are_left_out_and_said(alice, workspace):
    for name, values in (("vast", (-1e308, 1e308, 1.7e308)), ("mixed", (1e308, 2.0)), ("large", (1e17,))):
        for number, value in enumerate(values):
            put(workspace.project, name=name, trace_id=f"t{number}", value=value)

    def shown(name):
        page = alice.get(url("score-analytics", workspace.project, range="all", score1=f"API:NUMERIC:{name}"))
        assert page.status_code == 200
        return page

    assert "3 scores are counted in the totals only" in shown("vast").content.decode()
    mixed = shown("mixed")
    assert "1 score is counted in the total only" in mixed.content.decode()
    assert "There are more scores than are read" not in mixed.content.decode()
    assert (row_of(mixed, "Count"), row_of(mixed, "Mean")) == (["2"], ["2"])
    assert "too large" not in shown("large").content.decode()


def test_what_fits_nothing_is_said(alice, workspace):
    project = workspace.project
    empty = alice.get(url("score-analytics", project, range="all")).content.decode()
    assert "There are no numbers, categories or truth values" in empty
    fill_pairs(project, 3)
    assert "Choose a score" in alice.get(url("score-analytics", project, range="all")).content.decode()
    misfit = {"score1": "EVAL:NUMERIC:help", "score2": "EVAL:CATEGORICAL:grade"}
    page = alice.get(url("score-analytics", project, range="all", **misfit)).content.decode()
    assert "Numbers cannot be compared with categories" in page
    for nonsense in ("help", "::", "EVAL:NUMERIC:", "EVAL:NUMERIC:nope", "a\x00:b:c"):
        assert alice.get(url("score-analytics", project), {"range": "all", "score1": nonsense}).status_code == 200
    run = alice.get(url("score-analytics", project, range="all", score1="EVAL:NUMERIC:help", object="run"))
    assert "None of this score" in run.content.decode()


def test_what_is_not_defined_is_no_number(scope, workspace):
    assert compare_numbers([], []).mae is None
    assert compare_numbers([1.0, 1.0], [1.0, 2.0]).pearson is None
    same = compare_labels(["a", "a"], ["a", "a"], most=20)
    assert (same.agreement, same.kappa) == (1.0, None)
    with pytest.raises(ValueError, match="shorter"):
        compare_numbers([1.0, 2.0], [1.0])
    put(workspace.project, name="one", trace_id="t", value=3.0)
    alone = analyse(scope, [ScoreKey("one", "NUMERIC", "API")], period=ALL)
    assert [one.counts for one in alone.bins] == [(1,)]
    assert alone.sides[0].facts.deviation is None


def test_more_than_is_read_is_said(alice, workspace, monkeypatch):
    fill_pairs(workspace.project, 12)
    monkeypatch.setattr(score_analytics, "MOST", 10)
    keys = {"score1": "EVAL:NUMERIC:help", "score2": "ANNOTATION:NUMERIC:help"}
    page = alice.get(url("score-analytics", workspace.project, range="all", **keys))
    assert "There are more scores than are read at once" in page.content.decode()
    assert row_of(page, "Count") == ["12", "12"]
    assert "10 things have both scores." in page.content.decode()


def test_of_several_scores_about_one_thing_the_newest_counts(scope, workspace):
    for value, minutes in ((1.0, 5), (9.0, 1)):
        put(workspace.project, name="a", trace_id="t", value=value, timestamp=NOW - timedelta(minutes=minutes))
    put(workspace.project, name="b", trace_id="t", value=9.0)
    found = analyse(scope, [ScoreKey("a", "NUMERIC", "API"), ScoreKey("b", "NUMERIC", "API")], period=ALL)
    assert (found.pairs.count, found.pairs.numbers.mae) == (1, 0.0)


def test_old_addresses_lead_here(alice, workspace):
    project = f"/project/{workspace.project.pk}"
    new = f"/projects/{workspace.project.pk}"
    for old, expected in (
        (f"{project}/scores", f"{new}/scores/"),
        (f"{project}/scores/analytics", f"{new}/scores/analytics/"),
        (f"{project}/annotation-queues", f"{new}/annotation-queues/"),
        (f"{project}/annotation-queues/q1", f"{new}/annotation-queues/q1/"),
        (f"{project}/annotation-queues/q1/items/i1", f"{new}/annotation-queues/q1/process/?item=i1"),
    ):
        assert alice.get(old).headers["Location"] == expected
