"""What people said about one node of a trace, or about a session: its scores, its correction, its comments.

The three are parts of the pane that shows the node, and a page of their own for whoever asks by a plain GET.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.middleware.csrf import get_token
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.queries import list_project_members
from accounts.roles import Role
from accounts.views.answers import see_other
from config.errors import NotFound
from config.rendering import render_page
from tracing.actions.annotate import Target
from tracing.actions.comments import SIGNS, is_own, may_delete
from tracing.analytics.records import Score, ScoreSource, ScoreType, Trace
from tracing.models.comments import LONGEST_COMMENT, Comment, CommentObjectType
from tracing.queries import comments, people, said, trace_page
from tracing.views.acts.correction import Correction
from tracing.views.acts.talk import shown_words, text_to_edit

PARTS = ("scores", "correction", "comments")


@dataclass(frozen=True, slots=True)
class ShownScore:
    """A score, who gave it, and what it is about where the pane stands for two things."""

    score: Score
    author: str
    is_own: bool
    is_of_trace: bool

    @property
    def value(self) -> str | float | None:
        return self.score.string_value or self.score.value

    @property
    def source(self) -> str:
        names = {ScoreSource.EVAL: _("Judge"), ScoreSource.ANNOTATION: _("Person"), ScoreSource.API: _("API")}
        return names.get(ScoreSource(self.score.source), self.score.source) if self.score.source else ""


@dataclass(frozen=True, slots=True)
class Reaction:
    sign: str
    count: int
    is_own: bool
    people: str


@dataclass(frozen=True, slots=True)
class ShownComment:
    comment: Comment
    author: str
    html: str
    text: str
    reactions: list[Reaction]
    unused_signs: list[str]
    may_edit: bool
    may_delete: bool

    @property
    def is_edited(self) -> bool:
        return (self.comment.updated_at - self.comment.created_at).total_seconds() > 1


class Node:
    """One observation, a trace, a session or a version of a prompt, as people talk about it. Read lazily: a part asks
    for what it shows.

    A trace that has nothing to show but its root is shown by it; what is said there is said about the trace.
    """

    def __init__(
        self,
        scope: ProjectScope,
        *,
        trace: Trace | None = None,
        observation_id: str = "",
        session_id: str = "",
        prompt_id: str = "",
        is_observation_meant: bool = False,
    ) -> None:
        self.scope, self.trace = scope, trace
        #: id of one version
        self.prompt_id = prompt_id
        self.observation_id, self.session_id = observation_id, session_id
        #: where both could be meant, the observation is
        self.is_observation_meant = is_observation_meant

    @classmethod
    def asked_for(cls, scope: ProjectScope, asked: Mapping[str, str]) -> Node:
        """By `trace` and `observation`, or `session`, or `prompt`. Raises NotFound."""
        prompt_id = asked.get("prompt", "")
        if prompt_id:
            if not comments.is_there(scope, CommentObjectType.PROMPT.value, prompt_id):
                raise NotFound(_("There is no such version of a prompt in this project."))
            return cls(scope, prompt_id=prompt_id)
        session_id = asked.get("session", "")
        if session_id:
            if not people.has_session(scope, session_id):
                raise NotFound(_("There is no such session in this project."))
            return cls(scope, session_id=session_id)
        if not asked.get("trace"):
            raise NotFound()
        trace = trace_page.get_trace_record(scope, asked["trace"])
        return cls(
            scope,
            trace=trace,
            observation_id=asked.get("observation", ""),
            is_observation_meant=asked.get("on") == "observation",
        )

    @property
    def trace_id(self) -> str:
        return self.trace.id if self.trace else ""

    @property
    def is_scored(self) -> bool:
        """Versions of prompts are talked about; what they made is what is judged."""
        return not self.prompt_id

    @property
    def stands_for_trace(self) -> bool:
        if self.trace is None:
            return False
        has_own_row = bool(self.trace.input or self.trace.output or not self.trace.root_id)
        return not self.observation_id or (self.observation_id == self.trace.root_id and not has_own_row)

    @property
    def said_about(self) -> Target:
        """What scores from here are about. Raises NotFound where nothing is scored."""
        if not self.is_scored:
            raise NotFound(_("Versions of prompts are not scored: judge what they made."))
        if self.trace is None or not self.observation_id:
            return Target(trace_id=self.trace_id, session_id=self.session_id)
        if self.stands_for_trace and not self.is_observation_meant:
            return Target(trace_id=self.trace_id)
        return Target(trace_id=self.trace_id, observation_id=self.observation_id)

    @property
    def has_choice(self) -> bool:
        """Whether a score from here may be about the trace or about its root."""
        return bool(self.observation_id) and self.stands_for_trace

    @property
    def corrected(self) -> Target:
        return Target(trace_id=self.trace_id, observation_id=self.observation_id)

    @property
    def may_act(self) -> bool:
        return self.scope.role.allows(Role.MEMBER)

    @property
    def is_for_strangers(self) -> bool:
        """They learn what was said, not by whom."""
        return self.scope.role is Role.NONE

    # --- Addresses --------------------------------------------------------------------------------------
    @property
    def query(self) -> str:
        named = {
            "trace": self.trace_id,
            "observation": self.observation_id,
            "session": self.session_id,
            "prompt": self.prompt_id,
        }
        return urlencode({name: value for name, value in named.items() if value})

    @property
    def address(self) -> str:
        return f"{reverse('tracing:node', args=[self.scope.project_id])}?{self.query}"

    @property
    def page(self) -> str:
        if self.prompt_id:
            return reverse("prompts:prompt-version", args=[self.scope.project_id, self.prompt_id])
        if self.session_id:
            return reverse("tracing:session-detail", args=[self.scope.project_id, self.session_id])
        page = reverse("tracing:trace-detail", args=[self.scope.project_id, self.trace_id])
        return f"{page}?{urlencode({'observation': self.observation_id})}" if self.observation_id else page

    # --- What was said ----------------------------------------------------------------------------------
    @cached_property
    def _all_scores(self) -> list[Score]:
        if not self.is_scored:
            return []
        ids = {self.observation_id, ""} if self.stands_for_trace else {self.observation_id}
        return said.list_scores_of(self.scope, trace_id=self.trace_id, observation_ids=ids, session_id=self.session_id)

    @cached_property
    def scores(self) -> list[ShownScore]:
        given = [score for score in self._all_scores if score.data_type != ScoreType.CORRECTION]
        people = set() if self.is_for_strangers else {score.author_user_id for score in given}
        names = said.names_of_people(self.scope, people)
        return [
            ShownScore(
                score,
                author=names.get(score.author_user_id, ""),
                is_own=bool(score.author_user_id) and score.author_user_id == self.scope.user_id,
                is_of_trace=bool(self.observation_id) and not score.observation_id,
            )
            for score in given
        ]

    @cached_property
    def correction(self) -> Correction | None:
        """None where there is nothing to correct: a session."""
        if self.trace is None:
            return None
        here = [s for s in self._all_scores if s.data_type == ScoreType.CORRECTION]
        own = [score for score in here if score.observation_id == self.observation_id] or here
        newest = max(own, key=lambda score: score.updated_at, default=None)
        author = said.names_of_people(self.scope, {newest.author_user_id}) if newest else {}
        return Correction(self._output, newest, author.get(newest.author_user_id, "") if newest else "")

    def _output(self) -> str:
        if self.trace is None:
            return ""
        if not self.observation_id:
            return self.trace.output
        return trace_page.get_observation(self.scope, self.trace, self.observation_id).output

    @cached_property
    def comments(self) -> list[ShownComment]:
        found: list[Comment] = []
        for object_type, object_id in self._talked_about:
            found += comments.list_thread(self.scope, object_type, object_id)
        found.sort(key=lambda comment: (comment.created_at, comment.pk))
        return [self._shown(comment) for comment in found]

    @property
    def _talked_about(self) -> list[tuple[str, str]]:
        if self.prompt_id:
            return [(CommentObjectType.PROMPT.value, self.prompt_id)]
        if self.session_id:
            return [(CommentObjectType.SESSION.value, self.session_id)]
        about = [(CommentObjectType.TRACE.value, self.trace_id)] if self.stands_for_trace else []
        return [*about, (CommentObjectType.OBSERVATION.value, self.observation_id)] if self.observation_id else about

    @property
    def comment_on(self) -> tuple[str, str]:
        """Type and id of what a new comment is about."""
        return self._talked_about[0]

    def _shown(self, comment: Comment) -> ShownComment:
        reactions = _reactions(comment, self.scope.user_id)
        used = {reaction.sign for reaction in reactions}
        return ShownComment(
            comment,
            author=(comment.author.name or comment.author.email) if comment.author else "",
            html=shown_words(comment.content, self.members_by_id),
            text=text_to_edit(comment.content, self.members_by_id),
            reactions=reactions,
            unused_signs=[sign for sign in SIGNS if sign not in used],
            may_edit=self.may_act and is_own(self.scope, comment),
            may_delete=self.may_act and may_delete(self.scope, comment),
        )

    @cached_property
    def members(self) -> list[Any]:
        return [member for member in list_project_members(self.scope) if member.role is not Role.NONE]

    @cached_property
    def members_by_id(self) -> dict[str, Any]:
        return {member.user_id: member for member in self.members}

    longest_comment = LONGEST_COMMENT


def _reactions(comment: Comment, user_id: str) -> list[Reaction]:
    people: dict[str, list[Any]] = {}
    for reaction in comment.reactions.all():
        people.setdefault(reaction.sign, []).append(reaction.user)
    return [
        Reaction(
            sign,
            len(users),
            any(user.pk == user_id for user in users),
            ", ".join(user.name or user.email for user in users),
        )
        for sign in SIGNS
        if (users := people.get(sign))
    ]


@require_safe
@project_page(Role.VIEWER)
def node_page(request: HttpRequest, scope: ProjectScope) -> HttpResponseBase:
    return answer_with(request, Node.asked_for(scope, request.GET.dict()))


def answer_with(
    request: HttpRequest, node: Node, *, problem: str = "", problem_in: str = "", draft: str = ""
) -> HttpResponseBase:
    """The part of the node that htmx asked for, or all of it as a page. `problem` says what was wrong with `draft`."""
    get_token(request)
    context = {"scope": node.scope, "node": node, "problem": problem, "problem_in": problem_in, "draft": draft}
    status = 422 if problem else 200
    return render_page(request, "tracing/acts/node.html", context, fragment=PARTS, status=status)


def answer_to_form(request: HttpRequest, node: Node, anchor: str) -> HttpResponseBase:
    """After something was done: the part anew for htmx, the page it was done on for a plain form."""
    if getattr(request, "htmx", None):
        return answer_with(request, node)
    return see_other(f"{node.page}#{anchor}")
