from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import unescape

import pytest
from django.urls import reverse

from accounts.access import ProjectScope
from accounts.roles import Role
from tests.factories import make_project
from tests.tracing.page_data import HOSTILE, bare_trace, put_trace
from tracing.analytics import store
from tracing.analytics.records import Score, Trace
from tracing.analytics.tables import scores as store_scores
from tracing.queries import groups, people
from tracing.queries.explorer.language import parse
from tracing.queries.explorer.nouns import Noun
from tracing.queries.explorer.wanted import Sort, Wanted
from tracing.queries.periods import Period
from tracing.queries.score_means import means_of

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def scope(project):
    return ProjectScope(project.pk, Role.OWNER)


def _talk(project):
    """Three turns; the third after a long pause, each sent with the whole history."""
    history = []
    for number, (asked, said, minutes) in enumerate(
        [("Hi", "Hello", 100), ("Cost?", "Two.", 99), ("More?", "No.", 10)]
    ):
        history = [*history, {"role": "user", "content": asked}]
        put_trace(
            project.pk,
            root={
                "type": "GENERATION", "total_tokens": 100, "total_cost": Decimal("0.01"),
                "input": json.dumps([{"role": "system", "content": "S"}, *history]),
                "output": json.dumps({"role": "assistant", "content": said}),
            },
            id=f"turn{number}-{project.pk}", name="chat", session_id="s/1 %", user_id="u?1",
            at=NOW - timedelta(minutes=minutes),
            input_preview=asked, output_preview=said,
        )  # fmt: skip
        history = [*history, {"role": "assistant", "content": said}]


def _pages(project):
    return [
        reverse("tracing:session-list", args=[project.pk]),
        reverse("tracing:session-detail", args=[project.pk, "s/1 %"]),
        reverse("tracing:user-list", args=[project.pk]),
        reverse("tracing:user-detail", args=[project.pk, "u?1"]),
    ]


def test_ladder(client, alice, bob, charlie, project):
    _talk(project)
    for address in _pages(project):
        assert client.get(address).status_code == 302
        assert charlie.get(address).status_code == 404
        assert bob.get(address).status_code == alice.get(address).status_code == 200, address


def listed(scope, noun, text="", *, range="24h", period=None, sort="-time", before="", environments=(), limit=50):
    query = parse(text, noun)
    assert not query.problems, query.problems
    wanted = Wanted(noun, query, period or Period.named(range), environments, Sort.parse(sort), before)
    return groups.list_groups(scope, wanted, limit=limit)


def test_session_sums_and_ends(scope, project):
    _talk(project)
    put_trace(project.pk, name="no session")
    session = listed(scope, Noun.SESSIONS).rows
    assert [row.id for row in session] == ["s/1 %"]
    assert (session[0].traces, session[0].sums.tokens, session[0].sums.cost) == (3, 300, Decimal("0.03"))
    assert (session[0].first_input, session[0].last_output) == ("Hi", "No.")
    assert session[0].users == ["u?1"]
    assert groups.get_group(scope, Noun.SESSIONS, "s/1 %").sums.observations == 3


def test_turns_show_only_what_is_new(alice, project):
    _talk(project)
    answer = alice.get(reverse("tracing:session-detail", args=[project.pk, "s/1 %"]))
    turns = answer.context["page"].said
    assert [turn.asked[0].parts[0].text for turn in turns] == ["Hi", "Cost?", "More?"]
    assert [len(turn.asked) for turn in turns] == [1, 1, 1]
    assert [turn.idle is not None for turn in turns] == [False, False, True]
    assert [turn.number for turn in turns] == [1, 2, 3]


def long_talk(project, count=30, session="long"):
    """A turn a minute, two of them at the same time."""
    start = NOW - timedelta(hours=2)
    for n in range(count):
        put_trace(
            project.pk,
            id=f"long{n:03}-{project.pk}",
            name="chat",
            session_id=session,
            at=start + timedelta(minutes=n if n != 12 else 11),
            input_preview=f"question {n}",
            output_preview=f"answer {n}",
        )


def numbers(turns):
    return [int(turn.trace_id[4:7]) for turn in turns]


def test_turns_go_on_in_both_directions(scope, project):
    long_talk(project)
    seen, after = [], None
    while True:
        page = people.read_turns(scope, "long", after=after, limit=7)
        seen += numbers(page.turns)
        if (after := page.later) is None:
            break
    assert seen == list(range(30))
    back, before = [], page.earlier
    while before:
        page = people.read_turns(scope, "long", before=before, limit=7)
        back = numbers(page.turns) + back
        before = page.earlier
    assert back == list(range(28))


@pytest.mark.parametrize("named", [0, 12, 29])
def test_a_permalink_shows_its_turn_with_its_number(alice, project, named):
    long_talk(project)
    url = reverse("tracing:session-detail", args=[project.pk, "long"])
    page = alice.get(url, {"turn": f"long{named:03}-{project.pk}"}).context["page"]
    shown = {int(item.turn.trace_id[4:7]): item.number for item in page.said}
    assert shown[named] == named + 1
    assert len(shown) <= people.TALK_SIZE
    assert bool(page.earlier_url) == (named > 0)
    assert bool(page.later_url) == (named < 20)


def test_parts_of_a_long_talk_come_alone(alice, project):
    long_talk(project)
    url = reverse("tracing:session-detail", args=[project.pk, "long"])
    page = alice.get(url).context["page"]

    def part(address, target):
        answer = alice.get(address, headers={"HX-Request": "true", "HX-Target": target})
        assert answer.status_code == 200
        html = answer.content.decode()
        assert "<html" not in html
        return html

    later = part(page.later_url, "later")
    assert [f"turn-long{n:03}" in later for n in (9, 10, 19, 20)] == [False, True, True, False]
    assert 'id="later"' in later
    earlier_url = alice.get(url, {"turn": f"long020-{project.pk}"}).context["page"].earlier_url
    earlier = part(earlier_url, "earlier")
    assert [earlier.count(f"turn-long{n:03}") > 0 for n in (9, 10, 19, 20)] == [False, True, True, False]
    assert earlier.count("<article") == 10
    found = part(f"{url}?find=answer+17", "index")
    assert ("question 17" in found, "question 18" in found) == (True, False)


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ('[{"role":"user","content":"old"},{"role":"user","content":"new"}]', "new"),
        ('{"messages":[{"role":"user","content":"old"},{"role":"user","content":"new"}]}', "new"),
        ('[{"role":"user","content":[{"type":"text","text":"in parts"}]}]', "in parts"),
        ('{"question":"no conversation"}', '{"question":"no conversation"}'),
        ("plain words", "plain words"),
    ],
)
@pytest.mark.parametrize("of", ["trace", "root"])
def test_the_index_shows_what_was_asked_last(alice, project, asked, shown, of):
    # Previews hold the beginning of a conversation, which every turn of it repeats.
    own, root = ({"input": asked, "output": "x"}, {}) if of == "trace" else ({}, {"input": asked})
    put_trace(project.pk, root=root, session_id="s", input_preview=asked, **own)
    page = alice.get(reverse("tracing:session-detail", args=[project.pk, "s"])).context["page"]
    assert [item.words for item in page.turns] == [shown]


def test_the_last_turns_fill_in(alice, project):
    long_talk(project, count=3)
    url = reverse("tracing:session-detail", args=[project.pk, "long"])
    tail_url = alice.get(url).context["page"].tail_url
    asking = {"HX-Request": "true", "HX-Target": "tail"}
    assert alice.get(tail_url, headers=asking).status_code == 204
    put_trace(project.pk, id=f"long099-{project.pk}", session_id="long", name="chat", input_preview="one more")
    html = alice.get(tail_url, headers=asking).content.decode()
    assert html.count("<article") == 2  # the last one, which may have said more since, and the new one
    assert "one more" in html
    assert re.search(r'id="session_facts"[^>]* hx-swap-oob="true"', html)
    assert 'id="index_tail" hx-swap-oob="true"' in html


def test_steps_and_tools_of_turns(alice, project):
    trace = put_trace(
        project.pk,
        {"type": "TOOL", "name": "look_up", "input_preview": "order 7", "output_preview": "shipped", "id": "tool"},
        {"type": "GENERATION", "name": "answer", "model": "gpt-4o", "input": '[{"role":"user","content":"Where?"}]',
         "output": '{"role":"assistant","content":"On its way."}', "id": "model"},
        session_id="s", name="chat", input_preview="Where?", output_preview="On its way.",
    )  # fmt: skip
    url = reverse("tracing:session-detail", args=[project.pk, "s"])
    pages = {view: alice.get(url, {"view": view}).context["page"] for view in ("", "steps", "compact")}
    assert {view: [step.name for step in page.said[0].turn.steps] for view, page in pages.items()} == {
        "": ["look_up"], "steps": ["look_up", "answer"], "compact": [],
    }  # fmt: skip
    html = alice.get(url, {"view": "steps"}).content.decode()
    assert f"{trace.id}/?observation=model" in html
    assert "On its way." in html


def test_a_session_is_taken_along_whole(alice, project):
    long_talk(project, count=60)
    url = reverse("tracing:session-detail", args=[project.pk, "long"])
    answer = alice.get(url, {"as": "json"})
    whole = json.loads(b"".join(answer.streaming_content))
    assert [turn["traceId"][4:7] for turn in whole["turns"]] == [f"{n:03}" for n in range(60)]
    assert (whole["id"], whole["traces"]) == ("long", 60)
    _talk(project)
    text = b"".join(alice.get(url.replace("long", "s%2F1%20%25"), {"as": "text"}).streaming_content).decode()
    said = ["**user:** Hi", "**assistant:** Hello", "**user:** Cost?", "**assistant:** Two.", "**user:** More?"]
    places = [text.index(words) for words in said]
    assert places == sorted(places)
    assert text.count("Hello") == 1


def test_long_words_are_taken_along_whole(alice, project):
    """Of the trace itself and of its root, and never one in the place of the other."""
    long, longer = "a" * 70_000, json.dumps({"answer": "b" * 90_000})
    put_trace(project.pk, session_id="s", id="own", input=long, output="short", root={"input": "root's", "output": "r"},
              at=NOW - timedelta(minutes=3), input_preview=long[:100], output_preview="short")  # fmt: skip
    put_trace(project.pk, session_id="s", id="of-root", root={"input": "asked", "output": longer},
              at=NOW - timedelta(minutes=2), input_preview="asked", output_preview=longer[:100])  # fmt: skip
    put_trace(project.pk, session_id="s", id="mixed", input="own words", root={"input": longer, "output": long},
              at=NOW - timedelta(minutes=1), input_preview="own words", output_preview=long[:100])  # fmt: skip
    put_trace(make_project().pk, session_id="s", id="own", input="x" * 80_000, output="theirs")
    url = reverse("tracing:session-detail", args=[project.pk, "s"])
    whole = json.loads(b"".join(alice.get(url, {"as": "json"}).streaming_content))
    assert [(turn["traceId"], turn["input"], turn["output"]) for turn in whole["turns"]] == [
        ("own", long, "short"), ("of-root", "asked", json.loads(longer)), ("mixed", "own words", long)
    ]  # fmt: skip
    text = b"".join(alice.get(url, {"as": "text"}).streaming_content).decode()
    assert long in text
    assert "b" * 90_000 in text
    # The page shows the beginning, and not what the root was told instead.
    assert "root&#x27;s" not in alice.get(url).content.decode()


@pytest.mark.parametrize("odd", ["[1" + "0" * 400 + "]", '["\\ud800"]', "[NaN, 1e999]", "[" * 3000 + "]" * 3000])
def test_odd_values_do_not_cut_a_download_short(alice, project, odd):
    put_trace(project.pk, session_id="s", id=f"odd-{project.pk}", input=odd, output="after", input_preview=odd[:100])
    answer = alice.get(reverse("tracing:session-detail", args=[project.pk, "s"]), {"as": "json"})
    [turn] = json.loads(b"".join(answer.streaming_content))["turns"]
    assert turn["output"] == "after"


def test_what_people_said_of_a_session_is_on_its_page(alice, bob, project):
    _talk(project)
    url = reverse("tracing:session-detail", args=[project.pk, "s/1 %"])
    comment = {"session": "s/1 %", "text": "a long talk"}
    back = alice.post(reverse("tracing:comment-create", args=[project.pk]), comment)
    assert back["Location"] == f"{url}#comments"
    form = {"session": "s/1 %", "name": "calm", "data_type": "NUMERIC", "value": "0.75"}
    saved = alice.post(reverse("evals:annotate-save", args=[project.pk]), form, headers={"HX-Request": "true"})
    assert saved["HX-Trigger"] == "scores-changed"
    facts = alice.get(url, headers={"HX-Request": "true", "HX-Target": "session_facts"}).content.decode()
    assert "calm" in facts
    assert "a long talk" not in facts
    for reader, may_act in ((alice, True), (bob, False)):
        answer = reader.get(url)
        page = answer.content.decode()
        assert "a long talk" in page
        assert page.count("calm") >= 2
        assert answer.context["page"].said_count == 2
        assert ('name="text"' in page, "data-annotate" in page) == (may_act, may_act)
    [score] = means_of(ProjectScope(project.pk, Role.VIEWER), store_scores.c.session_id, ["s/1 %"], tag="test")[
        "s/1 %"
    ].values()
    assert (score.name, score.value) == ("calm", 0.75)


@pytest.mark.parametrize("asked", ["nobody's", "theirs"])
def test_a_session_that_is_not_here_is_neither_read_nor_judged(alice, project, asked):
    put_trace(make_project().pk, session_id="theirs")
    addresses = [reverse("tracing:node", args=[project.pk]), reverse("evals:annotate", args=[project.pk])]
    assert [alice.get(address, {"session": asked}).status_code for address in addresses] == [404, 404]
    said = {"session": asked, "text": "x", "name": "calm", "data_type": "NUMERIC", "value": "1"}
    posted = [reverse("tracing:comment-create", args=[project.pk]), reverse("evals:annotate-save", args=[project.pk])]
    assert [alice.post(address, said).status_code for address in posted] == [404, 404]


def test_tags_and_scores_are_columns_of_the_session_list(alice, project):
    put_trace(project.pk, session_id="s", tags=["a", "b", "a&c"])
    given = [
        Score(
            project_id=project.pk, id=f"score {name}", timestamp=NOW, name=name, session_id="s", value=1, row_version=1
        )
        for name in ("calm", "kind", "quick", "rude")
    ]
    store.insert(scores=given)
    answer = alice.get(reverse("tracing:session-list", args=[project.pk]))
    assert answer.context["score_names"] == ["calm", "kind", "quick"]
    page = answer.content.decode()
    assert 'href="?q=tag%3Aa"' in page
    assert 'title="a, a&amp;c, b"' in page


def test_a_tag_leads_to_the_sessions_that_have_it(alice, project):
    odd = 'a & b:"c" OR*'
    put_trace(project.pk, session_id="odd", tags=[odd])
    put_trace(project.pk, session_id="plain", tags=["a"])
    address = reverse("tracing:session-list", args=[project.pk])
    link = re.search(r'<a class="tag" href="([^"]*)" title="a &amp; b', alice.get(address).content.decode())[1]
    answer = alice.get(address + unescape(link))
    assert [row.id for row in answer.context["page"].rows] == ["odd"]


def fill_groups(project):
    """Twenty sessions of six users; what each adds up to is told apart from the database."""
    told = {}
    for n in range(20):
        turns, spend = n % 4 + 1, Decimal(n) / 100
        for turn in range(turns):
            failed = {"level": "ERROR"} if n % 5 == 0 and turn == 0 else {}
            put_trace(
                project.pk,
                root={"total_tokens": n * 10, "total_cost": spend, **failed},
                at=NOW - timedelta(hours=n % 7 + 1, minutes=-turn),
                session_id=f"s{n:02}", user_id=f"u{n % 6}", name=f"name{n % 2}", tags=[f"tag{n % 3}"],
                environment="production" if n % 2 else "dev",
                input_preview=f"question {n} of {turn}", output_preview=f"answer {n}",
            )  # fmt: skip
        last = NOW - timedelta(hours=n % 7 + 1, minutes=-(turns - 1))
        told[f"s{n:02}"] = {
            "n": n, "turns": turns, "tokens": n * 10 * turns, "cost": spend * turns, "errors": int(n % 5 == 0),
            "time": last, "duration": (turns - 1) * 60 + 1,
        }  # fmt: skip
    put_trace(project.pk, name="nobody's", input_preview="question alone")
    store.insert(
        scores=[
            Score(project_id=project.pk, id=f"score{n}-{k}", timestamp=NOW, name="helpful", session_id=f"s{n:02}",
                  value=n / 20 + k / 10, row_version=1)
            for n in range(0, 20, 2) for k in (0, 1)
        ]
    )  # fmt: skip
    return told


def test_sessions_are_found_as_python_finds_them(scope, project):
    told = fill_groups(project)

    def found(text, **options):
        return sorted(row.id for row in listed(scope, Noun.SESSIONS, text, **options).rows)

    def fitting(condition):
        return sorted(key for key, facts in told.items() if condition(facts))

    asked = {
        "turns:>2": lambda f: f["turns"] > 2,
        "-turns:>2": lambda f: f["turns"] <= 2,
        "turns:2..3 tokens:<100": lambda f: 2 <= f["turns"] <= 3 and f["tokens"] < 100,
        "cost:>=0.3": lambda f: f["cost"] >= Decimal("0.3"),
        "errors:>0": lambda f: f["errors"] > 0,
        "errors:0": lambda f: f["errors"] == 0,
        "duration:>2m": lambda f: f["duration"] > 120,
        "user:u3": lambda f: f["n"] % 6 == 3,
        "user:(u1 OR u2) env:dev": lambda f: f["n"] % 6 == 2,
        "tag:tag1 name:name1": lambda f: f["n"] % 3 == 1 and f["n"] % 2 == 1,
        "id:s1*": lambda f: f["n"] >= 10,
        "session:s07": lambda f: f["n"] == 7,
        "scores.helpful:>0.5": lambda f: f["n"] % 2 == 0 and f["n"] / 20 + 0.05 > 0.5,
        "has:scores.helpful": lambda f: f["n"] % 2 == 0,
        '"ANSWER 7"': lambda f: f["n"] == 7,
        "turns:>3 OR cost:0": lambda f: f["turns"] > 3 or f["cost"] == 0,
    }
    for text, condition in asked.items():
        assert found(text) == fitting(condition), text
    assert found("", environments=("dev",)) == fitting(lambda f: f["n"] % 2 == 0)
    hour_ago = NOW - timedelta(hours=1)
    assert found("", period=Period.between(hour_ago, None)) == fitting(lambda f: f["time"] >= hour_ago) != []
    means = {row.id: row.scores for row in listed(scope, Noun.SESSIONS).rows}
    assert means["s04"]["helpful"].value == pytest.approx(0.25)
    assert means["s05"] == {}


@pytest.mark.parametrize("field", ["time", "turns", "duration", "cost", "tokens", "errors"])
def test_every_order_walks_all_sessions_once(scope, project, field):
    told = fill_groups(project)
    for sign in ("-", ""):
        seen, before = [], ""
        while True:
            page = listed(scope, Noun.SESSIONS, sort=f"{sign}{field}", before=before, limit=7)
            seen += [row.id for row in page.rows]
            if not (before := page.older):
                break
        expected = sorted(told, key=lambda key: (told[key][field], key), reverse=sign == "-")
        assert seen == expected


def test_sessions_without_observations_are_in_every_order(scope, project):
    bare_trace(project.pk, session_id="bare")
    put_trace(project.pk, root={"total_cost": Decimal("1")}, session_id="paid")
    for sort in ("-time", "cost", "-cost", "duration", "-duration", "-errors"):
        assert {row.id for row in listed(scope, Noun.SESSIONS, sort=sort).rows} == {"bare", "paid"}, sort
    assert [row.id for row in listed(scope, Noun.SESSIONS, "cost:<1").rows] == ["bare"]


COMPLETED = [
    # noun, what is written before the caret, what is offered first
    (Noun.SESSIONS, "tur", [("turns:", None)]),
    (Noun.SESSIONS, "turns:", [(">", None), (">=", None)]),
    (Noun.SESSIONS, "env:", [("dev", 10), ("production", 10)]),
    (Noun.SESSIONS, "tag:tag0 env:prod", [("production", 3)]),
    (Noun.SESSIONS, "name:", [("name0", 10), ("name1", 10)]),
    (Noun.SESSIONS, "tag:", [("tag0", 7), ("tag1", 7), ("tag2", 6)]),
    (Noun.SESSIONS, "turns:>3 user:", [("u1", 2), ("u3", 2), ("u5", 1)]),
    (Noun.SESSIONS, "id:S1", [("s14", 1)]),
    (Noun.SESSIONS, "-user:(u1 OR u5", [("u5", 3)]),
    (Noun.SESSIONS, "scores.", [("scores.helpful:", 10), ("scores.mood:", 2)]),
    (Noun.SESSIONS, "scores.mood:", [("glad", 2)]),
    (Noun.SESSIONS, "errors:>0 scores.mood:", [(">", None)]),
    (Noun.USERS, "release:", [("r1", 1)]),
    (Noun.USERS, "id:U0", [("u0", 1)]),
    (Noun.USERS, "session:s03", [("s03", 1)]),
    (Noun.USERS, "sessions:>3 tag:", [("tag0", 1), ("tag1", 1)]),
    (Noun.USERS, "is:", []),
    (Noun.USERS, "nonsense:", []),
]


@pytest.mark.parametrize(("noun", "text", "expected"), COMPLETED)
def test_what_one_types_is_completed_from_what_was_observed(alice, project, noun, text, expected):
    fill_groups(project)
    put_trace(project.pk, session_id="s99", user_id="u99", release="r1", at=NOW - timedelta(days=3), environment="old")
    put_trace(project.pk, user_id="u0", release="r1", at=NOW - timedelta(hours=2))
    moods = [
        Score(project_id=project.pk, id=f"mood{n}", timestamp=NOW, name="mood", session_id=f"s{n:02}",
              string_value="glad", data_type="CATEGORICAL", row_version=1)
        for n in (1, 2)
    ]  # fmt: skip
    store.insert(scores=moods)
    name = "session-list" if noun is Noun.SESSIONS else "user-list"
    answer = alice.get(
        reverse(f"tracing:{name}", args=[project.pk]),
        {"text": text, "caret": str(len(text)), "range": "24h"},
        headers={"HX-Request": "true", "HX-Target": "suggestions"},
    )
    offered = [(one.text, one.count) for one in answer.context["suggestions"]().suggestions]
    # Of equals the latest comes first, which is not told here.
    assert sorted(offered[: len(expected)], key=str) == sorted(expected, key=str)
    assert bool(offered) == bool(expected)
    assert "old" not in [value for value, _count in offered]
    assert answer.content.decode().count('role="option"') == len(offered)


def test_completion_keeps_to_its_project_and_its_environments(alice, project, workspace):
    other = make_project()
    put_trace(other.pk, session_id="theirs", user_id="their user", tags=["their tag"])
    put_trace(project.pk, session_id="ours", user_id="our user", environment="dev")
    put_trace(project.pk, session_id="live", user_id="live user", environment="production")
    for text, params, expected in [
        ("id:", {}, {"ours", "live"}),
        ("user:", {}, {'"our user"', '"live user"'}),
        ("tag:", {}, set()),
        ("id:", {"environment": "dev"}, {"ours"}),
    ]:
        answer = alice.get(
            reverse("tracing:session-list", args=[project.pk]),
            {"text": text, **params},
            headers={"HX-Request": "true", "HX-Target": "suggestions"},
        )
        assert {one.text for one in answer.context["suggestions"]().suggestions} == expected, text


def test_the_bar_shows_conditions_as_pills_and_says_what_is_wrong(alice, project):
    _talk(project)
    answer = alice.get(reverse("tracing:session-list", args=[project.pk]), {"q": "turns:>1 turnz:3 Hi"})
    pills = answer.context["list"].bar.pills
    assert [(pill.text, bool(pill.problem)) for pill in pills] == [("turns:>1", False), ("turnz:3", True)]
    assert answer.context["list"].bar.words == "Hi"
    page = answer.content.decode()
    assert 'data-term="turns:&gt;1"' in page
    assert 'id="query-problems"' in page
    assert "turns:>5 user:anna" in page


@pytest.mark.parametrize("noun", [Noun.SESSIONS, Noun.USERS])
def test_groups_are_found_by_their_times(scope, project, noun):
    put_trace(project.pk, session_id="old", user_id="old", at=NOW - timedelta(days=20))
    put_trace(project.pk, session_id="new", user_id="new", at=NOW - timedelta(hours=1))
    day = f"{NOW - timedelta(days=9):%Y-%m-%d}"
    assert [row.id for row in listed(scope, noun, f"time:>{day}", range="all").rows] == ["new"]
    assert [row.id for row in listed(scope, noun, f"-time:>{day}", range="all").rows] == ["old"]
    if noun is Noun.USERS:
        assert [row.id for row in listed(scope, noun, f"first:<{day}", range="all").rows] == ["old"]


def test_users_are_found_and_put_in_order(scope, project):
    told = fill_groups(project)
    users = {f"u{k}": [f for f in told.values() if f["n"] % 6 == k] for k in range(6)}
    spent = {user: sum(f["cost"] for f in of) for user, of in users.items()}
    by_cost = sorted(spent, key=spent.get, reverse=True)
    assert [row.id for row in listed(scope, Noun.USERS, sort="-cost").rows] == by_cost
    assert {row.id: row.sessions for row in listed(scope, Noun.USERS).rows} == {u: len(of) for u, of in users.items()}
    assert {row.id for row in listed(scope, Noun.USERS, "sessions:>3").rows} == {
        user for user, of in users.items() if len(of) > 3
    }
    assert {row.id for row in listed(scope, Noun.USERS, "session:s05").rows} == {"u5"}
    firsts = [row.first_at for row in listed(scope, Noun.USERS, sort="first").rows]
    assert firsts == sorted(firsts)


def test_users_are_paged_by_their_last_trace(scope, project):
    for n in range(5):
        put_trace(project.pk, name="t", user_id=f"u{n}", at=NOW - timedelta(minutes=n // 2))
    seen, before = [], ""
    while True:
        page = listed(scope, Noun.USERS, before=before, limit=2)
        seen += [row.id for row in page.rows]
        if not (before := page.older):
            break
    assert sorted(seen) == ["u0", "u1", "u2", "u3", "u4"]


def test_search_and_range(scope, project):
    _talk(project)
    assert listed(scope, Noun.USERS, '"U?1"').rows
    assert not listed(scope, Noun.USERS, "zz").rows
    assert not listed(scope, Noun.USERS, range="1h", text="zz").rows


@pytest.mark.parametrize("noun", ["session", "user"])
@pytest.mark.parametrize(
    "address",
    [
        {"q": "turns:many"}, {"q": "nope:1"}, {"q": "((("}, {"sort": "-nothing"}, {"before": "x~y"},
        {"sort": "-cost", "before": "nonsense"}, {"q": "x" * 5000}, {"range": "0"}, {"q": "\x00"},
    ],
    ids=lambda address: "&".join(f"{name}={value[:12]!r}" for name, value in address.items()),
)  # fmt: skip
def test_nonsense_in_the_address_is_no_failure(alice, project, noun, address):
    _talk(project)
    answer = alice.get(reverse(f"tracing:{noun}-list", args=[project.pk]), address)
    assert answer.status_code == 200
    if address.get("q") in ("turns:many", "nope:1"):
        assert b"query-problem" in answer.content


def test_a_users_page_counts_as_python_does(alice, project):
    fill_groups(project)
    url = reverse("tracing:user-detail", args=[project.pk, "u3"])
    shown = alice.get(url).context["shown"]
    traces = sum(n % 4 + 1 for n in range(20) if n % 6 == 3)
    costs = sum(Decimal(n) / 100 * (n % 4 + 1) for n in range(20) if n % 6 == 3)
    failed = sum(n % 5 == 0 for n in range(20) if n % 6 == 3)
    by_title = {chart.title: chart for chart in shown.charts}
    assert (shown.user.traces, shown.user.sums.cost, shown.user.sums.errors) == (traces, costs, failed)
    assert by_title["Traces"].total == traces
    assert sum(bar.failed for bar in by_title["Traces"].bars) == failed
    assert by_title["Cost"].total == pytest.approx(float(costs))
    assert len(shown.traces.rows) == traces
    sessions = alice.get(url, {"tab": "sessions"}).context["shown"].sessions.rows
    assert {row.id for row in sessions} == {f"s{n:02}" for n in range(20) if n % 6 == 3}


@pytest.mark.parametrize("user", ["me", 'me" OR user:*', "界" * 4001], ids=["short", "odd", "long"])
def test_a_users_page_holds_what_is_theirs_page_by_page(alice, project, user):
    moments = [NOW - timedelta(minutes=number) for number in range(53)]
    theirs = [
        Trace(project_id=project.pk, id=f"t{number}", timestamp=at, user_id=user, session_id="mine", row_version=1)
        for number, at in enumerate(moments)
    ]
    store.insert(traces=theirs)
    put_trace(project.pk, id="another", user_id="you", session_id="yours", at=NOW)
    url = reverse("tracing:user-detail", args=[project.pk, user])
    first = alice.get(url, {"range": "all"}).context["page"]
    last = alice.get(url, {"range": "all", "before": first.older}).context["page"]
    assert [row.id for page in (first, last) for row in page.rows] == [f"t{number}" for number in range(53)]
    assert last.older == ""
    sessions = alice.get(url, {"range": "all", "tab": "sessions"}).context["page"]
    assert [row.id for row in sessions.rows] == ["mine"]


def test_a_users_scores_are_those_of_their_traces_and_sessions(alice, project):
    put_trace(project.pk, user_id="me", session_id="mine", scores=({"name": "own", "value": 1.0},))
    put_trace(project.pk, user_id="you", session_id="yours", scores=({"name": "other", "value": 1.0},))
    store.insert(
        scores=[
            Score(project_id=project.pk, id=f"talk-{name}", timestamp=NOW, name=f"talk {name}", session_id=name,
                  value=1.0, row_version=1)
            for name in ("mine", "yours")
        ]
    )  # fmt: skip
    answer = alice.get(reverse("tracing:user-detail", args=[project.pk, "me"]), {"tab": "scores"})
    assert {score.name for score in answer.context["shown"].scores.rows} == {"own", "talk mine"}


def test_hostile_texts_are_shown_as_text(alice, project):
    put_trace(
        project.pk, {"type": "TOOL", "name": HOSTILE, "input_preview": HOSTILE, "output_preview": HOSTILE},
        session_id=HOSTILE, user_id=HOSTILE, name=HOSTILE, input_preview=HOSTILE, output_preview=HOSTILE,
        tags=[HOSTILE], scores=({"name": HOSTILE, "string_value": HOSTILE, "data_type": "TEXT"},),
    )  # fmt: skip
    pages = [reverse(f"tracing:{noun}-list", args=[project.pk]) for noun in ("session", "user")]
    session = reverse("tracing:session-detail", args=[project.pk, HOSTILE])
    user = reverse("tracing:user-detail", args=[project.pk, HOSTILE])
    pages += [session, f"{session}?view=steps", f"{session}?view=compact"]
    pages += [user, f"{user}?tab=sessions", f"{user}?tab=scores"]
    for address in pages:
        html = alice.get(address).content.decode()
        assert "alert(" in html, address
        assert "<script>alert" not in html, address
        assert "<img src=x" not in html, address


def test_empty_states_say_what_to_do(alice, project):
    for address, words in zip(_pages(project)[::2], ("session id", "user id"), strict=True):
        assert words in alice.get(address, {"range": "all"}).content.decode()


def test_unknown_session_and_user_are_404(alice, project):
    for noun in ("session", "user"):
        assert alice.get(reverse(f"tracing:{noun}-detail", args=[project.pk, "nope"])).status_code == 404
