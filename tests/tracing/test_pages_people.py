from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.urls import reverse

from accounts.access import ProjectScope
from accounts.roles import Role
from tests.tracing.page_data import put_trace
from tracing.queries import people
from tracing.queries.periods import Period

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


def test_session_sums_and_ends(scope, project):
    _talk(project)
    put_trace(project.pk, name="no session")
    session = people.list_sessions(scope, Period.named("24h")).rows
    assert [row.id for row in session] == ["s/1 %"]
    assert (session[0].traces, session[0].sums.tokens, session[0].sums.cost) == (3, 300, Decimal("0.03"))
    assert (session[0].first_input, session[0].last_output) == ("Hi", "No.")
    assert session[0].users == ["u?1"]
    assert people.get_session(scope, "s/1 %").sums.observations == 3


def test_turns_show_only_what_is_new(alice, project):
    _talk(project)
    answer = alice.get(reverse("tracing:session-detail", args=[project.pk, "s/1 %"]))
    turns = answer.context["turns"]
    assert [turn.asked[0].parts[0].text for turn in turns] == ["Hi", "Cost?", "More?"]
    assert [len(turn.asked) for turn in turns] == [1, 1, 1]
    assert [turn.idle is not None for turn in turns] == [False, False, True]


def test_turns_go_on_after_a_page(scope, project):
    _talk(project)
    first = people.list_turns(scope, "s/1 %", limit=2)
    rest = people.list_turns(scope, "s/1 %", after=first.later, limit=2)
    assert [t.trace_id[:5] for t in (*first.turns, *rest.turns)] == ["turn0", "turn1", "turn2"]
    assert rest.later is None


def test_users_are_paged_by_their_last_trace(scope, project):
    for n in range(5):
        put_trace(project.pk, name="t", user_id=f"u{n}", at=NOW - timedelta(minutes=n // 2))
    seen, before = [], None
    while True:
        page = people.list_users(scope, Period.named("24h"), before=before, limit=2)
        seen += [row.id for row in page.rows]
        before = page.older
        if before is None:
            break
    assert sorted(seen) == ["u0", "u1", "u2", "u3", "u4"]


def test_search_and_range(scope, project):
    _talk(project)
    assert people.list_users(scope, Period.named("24h"), text="U?").rows
    assert not people.list_users(scope, Period.named("24h"), text="zz").rows
    assert not people.list_users(scope, Period.named("1h"), text="zz").rows


def test_empty_states_say_what_to_do(alice, project):
    for address, words in zip(_pages(project)[::2], ("session id", "user id"), strict=True):
        assert words in alice.get(address, {"range": "all"}).content.decode()


def test_unknown_session_and_user_are_404(alice, project):
    for noun in ("session", "user"):
        assert alice.get(reverse(f"tracing:{noun}-detail", args=[project.pk, "nope"])).status_code == 404
