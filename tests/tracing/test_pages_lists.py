"""What lists carry on: their links and forms keep filters and time range, whichever part of the page was read anew."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
from django.urls import reverse

from tests.rows_read import rows_read
from tests.tracing.page_data import put_trace

LISTS = ("trace-list", "session-list", "user-list")
CUSTOM = {"from": "2026-03-01T00:00", "to": "2026-03-05T12:00"}


def _page(name, project):
    return reverse(f"tracing:{name}", args=[project.pk])


def _fragment(client, address, query=None, part="results"):
    answer = client.get(address, query, headers={"HX-Request": "true", "HX-Target": part})
    return answer.content.decode()


def _links(html, words=""):
    found = re.findall(r'<a [^>]*href="([^"]*)"[^>]*>(.*?)</a>', html, flags=re.DOTALL)
    return [unescape(href) for href, text in found if words in text]


def _query(url):
    return parse_qs(urlsplit(url).query)


@pytest.mark.parametrize("query", [{}, {"range": "24h"}, {"q": 'name:("odd & even" OR b) x', "before": "y"}, CUSTOM])
def test_every_bar_of_the_strip_leads_to_its_traces(alice, project, query):
    at = datetime(2026, 3, 2, tzinfo=UTC) if query is CUSTOM else datetime.now(UTC) - timedelta(minutes=5)
    put_trace(project.pk, name="odd & even", input="x", at=at)
    address = _page("trace-list", project)
    strip = _fragment(alice, address, query, "pulse")
    links = _links(re.search(r"<svg [^>]*data-strip.*</svg>", strip, flags=re.DOTALL)[0])
    assert links
    for link in links:
        answer = alice.get(address + link)
        assert [row.name for row in answer.context["page"].rows] == ["odd & even"]
        assert _query(link).get("q", [None]) == [query.get("q")]
        assert _query(link).keys() & {"range", "before"} == set()


@pytest.mark.parametrize("name", LISTS)
def test_the_menu_of_ranges_comes_along_with_filtered_rows(alice, project, name):
    put_trace(project.pk, name="t", user_id="one", session_id="one")
    html = _fragment(alice, _page(name, project), {"q": "one"})
    menu = re.search(r'<div [^>]*id="time-range".*?</details>', html, flags=re.DOTALL)[0]
    assert 'hx-swap-oob="true"' in menu
    assert _query(_links(menu, "Past hour")[0]) == {"q": ["one"], "range": ["1h"]}
    assert '<input type="hidden" name="q" value="one" data-carried>' in menu
    assert "hx-swap-oob" not in alice.get(_page(name, project), {"q": "one"}).content.decode()


def test_the_strip_leaves_the_menu_of_ranges_alone(alice, project):
    put_trace(project.pk, name="t")
    assert "time-range" not in _fragment(alice, _page("trace-list", project), part="pulse")


@pytest.mark.parametrize("name", LISTS)
def test_a_search_stays_in_its_custom_range(alice, project, name):
    html = alice.get(_page(name, project), CUSTOM).content.decode()
    search = next(form for form in re.findall(r"<form.*?</form>", html, flags=re.DOTALL) if 'type="search"' in form)
    for field, value in CUSTOM.items():
        assert f'<input type="hidden" name="{field}" value="{value}">' in search
    assert 'name="range"' not in search


@pytest.mark.parametrize("query", [{"range": "30d"}, CUSTOM, {}])
def test_clearing_the_filters_keeps_the_time_range(alice, project, query):
    put_trace(project.pk, name="t")
    html = alice.get(_page("trace-list", project), {**query, "q": "name:nothing level:ERROR"}).content.decode()
    above = unescape(re.search(r'<a class="clear" href="([^"]*)"', html)[1])
    in_place = _links(html, "Clear the filters")
    links = [above, *in_place]
    assert len(links) == 2
    for link in links:
        assert urlsplit(link).path == _page("trace-list", project)
        assert {name: values[0] for name, values in _query(link).items()} == query


def _facets(client, address, opened="", **query):
    headers = {"HX-Request": "true", "HX-Target": "facets", "X-Open-Facets": opened}
    answer = client.get(address, query, headers=headers)
    found = re.findall(r'<details class="facet" data-facet="(\w+)"([^>]*)>', answer.content.decode())
    return {name: "waiting" if "data-waiting" in marks else "open" for name, marks in found}


def test_a_facet_that_is_closed_is_not_read(alice, project):
    put_trace(project.pk, name="t", user_id="one")
    address = _page("trace-list", project)
    with rows_read() as read:
        usual = _facets(alice, address)
    assert {name for name, state in usual.items() if state == "open"} == {"env", "level", "name", "type", "model"}
    assert {"user", "latency", "metadata", "scores"} <= usual.keys()
    asked = {tag for tag in read.by_tag if tag.startswith("explorer-")}
    assert asked == {"explorer-facets-env", "explorer-facets-type", "explorer-ranges-level", "explorer-bare-traces"}

    with rows_read() as read:
        chosen = _facets(alice, address, "user,latency,-env,-level,-name,-type,-model,met%61data")
    assert {name for name, state in chosen.items() if state == "open"} == {"user", "latency", "metadata"}
    assert list(chosen) == list(usual)
    assert "explorer-facets-type" not in read.by_tag

    with rows_read() as read:
        closed = _facets(alice, address, "-env,-level,-name,-type,-model")
    assert set(closed.values()) == {"waiting"}
    assert not any(tag.startswith("explorer-") for tag in read.by_tag)
    # What the query chooses is shown, closed or not.
    assert _facets(alice, address, "-env,-name", q="name:t", environment="default")["name"] == "open"
    assert _facets(alice, address, q="nowhere-at-all") == {}


def test_a_facet_is_opened_without_scripts(alice, project):
    put_trace(project.pk, name="t", user_id="someone")
    address = _page("trace-list", project)
    html = alice.get(address, {"facets": "shown"}).content.decode()
    assert "user:someone" not in html
    link = next(href for href in _links(html, "Show the values") if _query(href)["open"] == ["user"])
    html = alice.get(address + link).content.decode()
    assert [_query(href)["q"] for href in _links(html, "someone") if "q" in _query(href)][:1] == [["user:someone"]]
    more = next(href for href in _links(html, "Show the values") if _query(href)["open"] == ["user,release"])
    assert _query(more)["facets"] == ["shown"]
