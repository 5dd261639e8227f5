"""Playgrounds that begin with what is there already: a version of a prompt, or a generation."""

from __future__ import annotations

from django.utils.translation import gettext as _

from accounts.access import ProjectScope
from accounts.audit import Actor
from accounts.roles import Role
from config.errors import NotFound
from prompts.actions.playground import create_playground
from prompts.models import LATEST, Playground
from prompts.playground import generations, origins
from prompts.playground import state as shape
from prompts.queries import prompts as queries
from tracing.queries import trace_page


def open_version(scope: ProjectScope, name: str, number: int | None, *, actor: Actor) -> Playground:
    """With a version of a prompt in its window: the newest where no number is given. Raises NotFound, Forbidden."""
    scope.require(Role.MEMBER)
    version = queries.find_version(scope, name, number=number, label="" if number else LATEST)
    if version is None:
        raise NotFound(_("There is no such prompt in this project, or it has no such version."))
    window = origins.window_of_version(scope, version)
    return create_playground(scope, shape.state_of(window), f"{version.prompt.name} v{version.number}", actor=actor)


def open_generation(
    scope: ProjectScope, trace_id: str, observation_id: str, *, with_output: bool, actor: Actor
) -> Playground:
    """With what a generation was sent in its window, and with what it said as the last message where that is wanted.
    Raises NotFound, Forbidden, and TooLarge for what no playground holds."""
    scope.require(Role.MEMBER)
    trace = trace_page.get_trace_record(scope, trace_id)
    observation = trace_page.get_observation(scope, trace, observation_id)
    window = generations.window_of_generation(scope, observation, with_output=with_output)
    state = shape.state_of(window)
    # What looks like a variable was sent as it is: it stands for itself until somebody gives it a value.
    state["variables"] = {name: f"{{{{{name}}}}}" for name in shape.variables_in(window)}
    return create_playground(scope, state, observation.name or trace.name, actor=actor)
