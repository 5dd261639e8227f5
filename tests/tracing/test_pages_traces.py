from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import unescape
from itertools import pairwise

import pytest
from django.urls import reverse

from accounts.access import ProjectScope
from accounts.roles import Role
from config.errors import TooExpensive, Unavailable
from tests.tracing.page_data import HOSTILE, bare_trace, put_trace
from tracing.analytics import store
from tracing.analytics.records import Trace
from tracing.queries import explorer
from tracing.queries.explorer import Noun, Wanted
from tracing.queries.periods import Period

FRAGMENT = {"HX-Request": "true", "HX-Target": "results"}


def _list(project):
    return reverse("tracing:trace-list", args=[project.pk])


def _detail(project, trace_id):
    return reverse("tracing:trace-detail", args=[project.pk, trace_id])


def _text(answer):
    return answer.content.decode()


@pytest.fixture
def scope(project):
    return ProjectScope(project.pk, Role.OWNER)


def test_ladder(client, alice, bob, charlie, project):
    for address in (_list(project), _detail(project, put_trace(project.pk, name="t").id)):
        assert client.get(address).status_code == 302
        assert charlie.get(address).status_code == 404
        assert bob.get(address).status_code == 200
        assert alice.get(address).status_code == 200


def test_list_shows_newest_first_with_sums(alice, project):
    now = datetime.now(UTC)
    put_trace(project.pk, name="older", at=now - timedelta(hours=2))
    child = {"type": "GENERATION", "level": "ERROR", "total_tokens": 1234, "total_cost": Decimal("0.0214")}
    put_trace(project.pk, child, name="newer", input_preview="asked", output_preview="said", at=now)
    page = _text(alice.get(_list(project)))
    assert page.index(">newer<") < page.index(">older<")
    for shown in ("asked", "said", "1,234", "$0.0214", "Error"):
        assert shown in page


def test_empty_project_says_how_to_start(alice, project):
    page = _text(alice.get(_list(project)))
    assert "No traces yet" in page
    assert reverse("tracing:onboarding", args=[project.pk]) in page


def test_no_match_offers_a_way_out(alice, project):
    put_trace(project.pk, name="t")
    page = _text(alice.get(_list(project), {"q": "zzzz", "level": "ERROR"}, follow=True))
    assert "No traces match" in page
    assert "range=all" in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"name": "one"}, {"one"}),
        ({"name": ["one", "two"]}, {"one", "two"}),
        ({"environment": "staging"}, {"two"}),
        ({"level": "ERROR"}, {"one"}),
        ({"type": "TOOL"}, {"one"}),
        ({"model": "gpt-4o"}, {"two"}),
        ({"tag": "vip"}, {"two"}),
        ({"release": "r1"}, {"one"}),
        ({"user": "u1"}, {"one"}),
        ({"session": "s2"}, {"two"}),
        ({"q": "ORDER 48"}, {"one"}),
        ({"q": "deep needle"}, {"two"}),
        ({"range": "1h"}, {"one"}),
        ({"range": "all"}, {"one", "two", "three"}),
        ({"level": "nonsense", "range": "nonsense"}, {"one", "two"}),
        ({"name": "x\x00'; DROP"}, set()),
    ],
)
def test_filters(alice, project, query, found):
    now = datetime.now(UTC)
    put_trace(
        project.pk, {"type": "TOOL", "level": "ERROR"}, name="one", user_id="u1", session_id="s1", release="r1",
        input="where is order 48?", input_preview="where is order 48?", at=now - timedelta(minutes=1),
    )  # fmt: skip
    put_trace(
        project.pk, {"type": "GENERATION", "model": "gpt-4o", "output": "a deep Needle in it"}, name="two",
        session_id="s2", environment="staging", tags=["vip", "new"], at=now - timedelta(hours=3),
    )  # fmt: skip
    put_trace(project.pk, name="three", at=now - timedelta(days=60))
    # Filters that had parameters of their own lead to the query language.
    answer = alice.get(_list(project), query, follow=True)
    rows = [row.name for row in answer.context["page"].rows]
    assert set(rows) == found
    assert len(rows) == len(found)


def test_paging_is_a_link_that_neither_repeats_nor_skips(project, alice):
    at = datetime.now(UTC) - timedelta(minutes=10)
    times = [at + timedelta(seconds=n // 3) for n in range(27)]  # three share one moment
    rows = [Trace(project_id=project.pk, id=f"t{n}", timestamp=time, row_version=1) for n, time in enumerate(times)]
    store.insert(traces=rows)
    seen, link = [], "?size=25"
    while link:
        answer = alice.get(f"{_list(project)}{link}")
        seen += [row.id for row in answer.context["page"].rows]
        found = re.search(r'rel="next"[^>]* href="([^"]+)"|href="([^"]+)"[^>]* rel="next"', _text(answer))
        link = unescape(found[1] or found[2]) if found else ""
    assert len(seen) == len(set(seen)) == 27
    assert "Nothing more in this time range" in _text(answer)


def test_garbage_in_the_cursor_is_the_first_page(alice, project):
    put_trace(project.pk, name="t")
    for garbage in ("x", "2026-99-99~a", "~", "9999-12-31T23:59:59Z~"):
        assert alice.get(_list(project), {"before": garbage}).status_code == 200


def test_fragment_has_no_frame_and_varies(alice, project):
    put_trace(project.pk, name="needle")
    answer = alice.get(_list(project), headers=FRAGMENT)
    assert "needle" in _text(answer)
    assert "<html" not in _text(answer)
    assert "HX-Request" in answer["Vary"]
    for header in ({"HX-Boosted": "true"}, {"HX-History-Restore-Request": "true"}):
        assert "<html" in _text(alice.get(_list(project), headers={**FRAGMENT, **header}))


def test_pulse_counts_traces_and_errors(scope, project, alice):
    now = datetime.now(UTC)
    put_trace(project.pk, {"level": "ERROR"}, at=now - timedelta(minutes=1))
    put_trace(project.pk, at=now - timedelta(hours=5))
    bars = explorer.pulse(scope, Wanted(Noun.TRACES, period=Period.named("24h"))).bars
    assert (sum(bar.count for bar in bars), sum(bar.errors for bar in bars)) == (2, 1)
    assert all(before.until == after.at for before, after in pairwise(bars))
    answer = alice.get(_list(project), headers={**FRAGMENT, "HX-Target": "pulse"})
    assert "<svg" in _text(answer)


def test_other_projects_are_not_seen(alice, project, scope):
    from tests.factories import make_project

    other = make_project("Lookalike", organization=project.organization)
    theirs = put_trace(other.pk, name="theirs", user_id="u", session_id="s", tags=["secret-tag"])
    put_trace(project.pk, name="mine", id=theirs.id, user_id="u", session_id="s")
    page = _text(alice.get(_list(project), {"range": "all"}))
    assert "mine" in page
    assert "theirs" not in page
    assert "secret-tag" not in page
    assert "theirs" not in _text(alice.get(_detail(project, theirs.id)))
    for noun, name in (("session", "s"), ("user", "u")):
        assert "theirs" not in _text(alice.get(reverse(f"tracing:{noun}-detail", args=[project.pk, name])))


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [(TooExpensive("too much"), 422, "too much"), (Unavailable("away"), 503, "does not answer")],
)
def test_refused_query_keeps_the_filters(alice, project, monkeypatch, error, status, words):
    def refuse(*args, **kwargs):
        raise error

    monkeypatch.setattr(explorer, "list_page", refuse)
    answer = alice.get(_list(project), {"q": "something"})
    assert answer.status_code == status
    assert words in _text(answer)
    assert 'value="something"' in _text(answer)


def test_trace_page_selects_the_root_and_what_is_asked(alice, project):
    traced = put_trace(
        project.pk, {"name": "inner", "input": "inner-input"}, name="outer", root={"input": "outer-input"}
    )
    page = _text(alice.get(_detail(project, traced.id)))
    assert "outer-input" in page
    assert "inner-input" not in page
    inner = traced.observations[1].id
    answer = alice.get(_detail(project, traced.id), {"observation": inner})
    assert "inner-input" in _text(answer)
    fragment = alice.get(
        _detail(project, traced.id), {"observation": inner}, headers={**FRAGMENT, "HX-Target": "observation"}
    )
    assert "inner-input" in _text(fragment)
    assert 'role="tree"' not in _text(fragment)


def test_unknown_trace_and_observation_are_404(alice, project):
    traced = put_trace(project.pk, name="t")
    assert alice.get(_detail(project, "nope")).status_code == 404
    assert alice.get(_detail(project, traced.id), {"observation": "nope"}).status_code == 404


def test_trace_with_own_content_has_a_row_of_its_own(alice, project):
    traced = put_trace(project.pk, name="t", input="of the trace", root={"input": "of the root"})
    page = _text(alice.get(_detail(project, traced.id)))
    assert "of the trace" in page
    assert "trace-row" in page
    empty = bare_trace(project.pk, name="lonely", output="alone")
    assert "alone" in _text(alice.get(_detail(project, empty.id)))


def test_conversation_is_set_as_one(alice, project):
    messages = [
        {"role": "user", "content": "**bold** question"},
        {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "look_up", "arguments": "{}"}}]},
    ]
    root = {
        "type": "GENERATION",
        "input": json.dumps(messages),
        "model": "gpt-4o",
        "tool_definitions": {"look_up": '{"description": "finds things"}'},
        "usage": {"input": 10, "output": 5},
        "cost": {"input": Decimal("0.001")},
        "input_tokens": 10,
        "total_tokens": 15,
        "total_cost": Decimal("0.001"),
    }
    traced = put_trace(project.pk, root=root, name="t", scores=({"name": "helpful", "value": 0.5, "comment": "so-so"},))
    page = _text(alice.get(_detail(project, traced.id)))
    for shown in ("<strong>bold</strong>", "look_up", "finds things", 'href="#tool-1"', "helpful", "so-so", "$0.001"):
        assert shown in page
    as_json = _text(alice.get(_detail(project, traced.id), {"view": "json"}))
    assert "<strong>bold" not in as_json
    assert "**bold** question" in as_json


def test_hostile_text_is_text_everywhere(alice, project):
    fields = dict.fromkeys(("name", "input", "output", "status_message", "model"), HOSTILE)
    root = {**fields, "metadata": {HOSTILE: HOSTILE}, "type": "GENERATION", "events": json.dumps([{"name": HOSTILE}])}
    chat = {
        "input": json.dumps(
            [{"role": HOSTILE, "content": f"[x](javascript:alert(1)) ![i](https://e.example/i.png) {HOSTILE}"}]
        )
    }
    traced = put_trace(
        project.pk, chat, root=root, id=f"../{HOSTILE}", name=HOSTILE, user_id=HOSTILE, session_id=HOSTILE,
        tags=[HOSTILE], release=HOSTILE, environment="x",
        input_preview=HOSTILE, output_preview=HOSTILE, metadata={HOSTILE: HOSTILE},
        scores=({"name": HOSTILE, "string_value": HOSTILE, "comment": HOSTILE},),
    )  # fmt: skip
    addresses = [
        _list(project), _detail(project, traced.id), _detail(project, traced.id) + "?view=json",
        _detail(project, traced.id) + f"?observation={traced.observations[1].id}",
        reverse("tracing:session-list", args=[project.pk]),
        reverse("tracing:session-detail", args=[project.pk, HOSTILE]),
        reverse("tracing:user-list", args=[project.pk]), reverse("tracing:user-detail", args=[project.pk, HOSTILE]),
        reverse("tracing:onboarding", args=[project.pk]),
    ]  # fmt: skip
    for address in addresses:
        answer = alice.get(address)
        assert answer.status_code == 200, address
        page = _text(answer)
        assert "<script>alert" not in page, address
        assert "<img src=x" not in page, address
        assert 'href="javascript' not in page, address
        assert 'src="https://e.example' not in page, address


def test_search_in_a_trace_shows_the_way_to_it(alice, project):
    traced = put_trace(project.pk, {"name": "hit", "output": "the NEEDLE"}, {"name": "miss"}, name="t")
    text = _text(alice.get(_detail(project, traced.id), {"find": "needle"}))
    rows = text.split('id="tree-rows"')[1].split("</div>")[0]
    assert "hit" in rows
    assert "miss" not in rows


def test_raw_text_is_plain_and_hostile_files_are_downloads(alice, charlie, project):
    traced = put_trace(project.pk, root={"output": HOSTILE}, name="t")
    query = {"trace": traced.id, "observation": traced.observations[0].id, "field": "output"}
    address = reverse("tracing:trace-raw", args=[project.pk])
    answer = alice.get(address, query)
    assert answer["Content-Type"].startswith("text/plain")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert _text(answer) == HOSTILE
    assert charlie.get(address, query).status_code == 404
    assert alice.get(address, {**query, "field": "row_version"}).status_code == 404


def test_long_content_is_cut_with_a_way_to_the_rest(alice, project):
    traced = put_trace(project.pk, root={"input": "word " * 200_000}, name="t")
    answer = alice.get(_detail(project, traced.id))
    assert len(answer.content) < 400_000
    assert "Read all of it" in _text(answer)


def test_large_trace_is_sent_row_by_row(alice, project):
    traced = put_trace(project.pk, *({"name": f"step {n % 7}", "id": f"o{n}"} for n in range(5000)), name="big")
    answer = alice.get(_detail(project, traced.id))
    page = _text(answer)
    assert page.count('role="treeitem"') <= 102  # 100, the shape of a row, and the trace itself
    assert "More of 5,001 rows" in page
    assert len(answer.content) < 200_000
    found = set()
    for rows in (0, 2000, 4000):
        page = _text(alice.get(_detail(project, traced.id), {"rows": rows}))
        found |= set(re.findall(r'data-id="(o\d+)"', page))
    assert len(found) == 5000
    assert "More of" not in page
    assert alice.get(_detail(project, traced.id), {"rows": "nonsense²"}).status_code == 200


def test_queries_on_a_list_page_stay_few(alice, project, django_assert_max_num_queries):
    for n in range(3):
        put_trace(project.pk, name=f"t{n}")
    alice.get(_list(project))
    with django_assert_max_num_queries(10):
        alice.get(_list(project))
