"""How a cost came about, in words: of one observation for the pane, and of a whole trace as a page."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import cached_property
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.roles import Role
from config.rendering import render_page
from tracing.analytics.records import ZERO, Observation
from tracing.pricing import Explanation, PricedModel, Reason, catalogue_for, explain
from tracing.pricing.explanation import Compared, TriedTier
from tracing.queries import trace_page
from tracing.queries.cost import cost_of_trace

SIGNS = {"gt": ">", "gte": "≥", "lt": "<", "lte": "≤", "eq": "=", "neq": "≠"}


class ShownTier:
    """A tier, and what each of its conditions found; where an earlier one was taken nobody looks at them."""

    def __init__(self, tier: TriedTier, *, is_late: bool = False) -> None:
        self.name, self.is_chosen, self.is_default, self.is_late = tier.name, tier.is_chosen, tier.is_default, is_late
        self.conditions = [(in_words(condition), condition.holds) for condition in tier.conditions]


def shown_tiers(tiers: Sequence[TriedTier]) -> list[ShownTier]:
    """In the order in which they are tried; none where there is no choice."""
    taken = next((at for at, tier in enumerate(tiers) if tier.is_chosen), len(tiers))
    return [ShownTier(tier, is_late=at > taken) for at, tier in enumerate(tiers)] if len(tiers) > 1 else []


class ShownCost:
    """Read when the template asks for it."""

    def __init__(self, scope: ProjectScope, observation: Observation) -> None:
        self._scope, self.record = scope, observation

    @cached_property
    def account(self) -> Explanation:
        return explain(self.record, catalogue_for(self._scope.project_id))

    @property
    def has_units(self) -> bool:
        return bool(self.record.usage or self.record.cost)

    @property
    def tiers(self) -> list[ShownTier]:
        """Only where there is a choice."""
        return shown_tiers(self.account.tiers)

    @property
    def units_from(self) -> str:
        account = self.account
        if not self.record.usage:
            return ""
        if not account.is_counted:
            return _("Sent by the client.")
        if account.is_estimated:
            return _("Estimated here: for Claude there is no public tokenizer, so a token is taken as 3.5 bytes.")
        tokenizer = account.model.tokenizer if account.model else ""
        return _("Counted here in the text, with the tokenizer “%(name)s”: the client sent none.") % {"name": tokenizer}

    @property
    def has_parts(self) -> bool:
        """Whether some kinds were taken out of others, so that nothing is paid for twice."""
        keys = self.record.usage.keys()
        return any(word in key for key in keys for word in ("cache", "reasoning", "audio", "image"))

    @property
    def model_url(self) -> str:
        model = self.account.model
        return model_url(self._scope, model) if model else ""

    @property
    def nearest(self) -> list[tuple[PricedModel, str]]:
        return [(model, model_url(self._scope, model)) for model in self.account.nearest]

    @property
    def may_look(self) -> bool:
        """Who reads an opened trace by its link sees none of the settings."""
        return self._scope.role.allows(Role.VIEWER)

    @property
    def may_edit(self) -> bool:
        return self._scope.role.allows(Role.MEMBER)

    @property
    def add_price_url(self) -> str:
        return new_model_url(self._scope, self.record.model)

    @property
    def recompute_url(self) -> str:
        address = reverse("tracing:model-recompute", args=[self._scope.project_id])
        return f"{address}?{urlencode({'name': self.record.model})}"

    @property
    def reason(self) -> str:
        return _reason(self.account.reason) if self.account.reason else ""

    @property
    def wants_price(self) -> bool:
        """Whether a definition of the project's own would help."""
        return self.account.reason in (Reason.NO_MATCH, Reason.NO_PRICES, Reason.NO_PRICE_FOR_KINDS) or bool(
            self.account.unpriced
        )

    @property
    def difference(self) -> Decimal:
        """What the cost would change by under the prices of now."""
        return (self.account.total_now or ZERO) - (self.account.total or ZERO)


def model_url(scope: ProjectScope, model: PricedModel) -> str:
    return reverse("tracing:model-detail", args=[scope.project_id, model.id])


def new_model_url(scope: ProjectScope, name: str) -> str:
    return f"{reverse('tracing:model-new', args=[scope.project_id])}?{urlencode({'name': name})}"


def in_words(condition: Compared) -> str:
    """“input + input_cached_tokens = 210,000 > 200,000”."""
    if condition.source == "usage":
        wanted = f"{Decimal(condition.wanted):,f}"
        if not condition.keys:
            nothing = _("no kind matches %(pattern)s") % {"pattern": condition.subject}
            return f"{nothing}: 0 {SIGNS[condition.operator]} {wanted}"
        kinds = " + ".join(condition.keys)
        return f"{kinds} = {int(condition.found or 0):,} {SIGNS[condition.operator]} {wanted}"
    where = _("parameter") if condition.source == "model_parameters" else _("metadata")
    found = _("not set") if condition.found is None else condition.found
    return f"{where} {condition.subject} ({found}) = {condition.wanted}"


def _reason(reason: Reason) -> str:
    return {
        Reason.NO_MODEL_NAME: _("No cost: the client named no model."),
        Reason.NO_MATCH: _("No cost: no definition matches this model name."),
        Reason.NO_TOKENS: _("No cost: the client sent no tokens, and this model has no tokenizer to count them with."),
        Reason.NO_TOKENS_FAILED: _(
            "No cost: the call failed and the client sent no tokens. Failed calls are not billed."
        ),
        Reason.NO_PRICES: _("No cost: the definition that matches has no prices."),
        Reason.NO_PRICE_FOR_KINDS: _("No cost: the definition that matches has no price for these kinds of usage."),
        Reason.TOO_LARGE: _("No cost: the amount is too large to be true."),
    }[reason]


@require_safe
@project_page(Role.VIEWER)
def trace_cost(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """All that a trace paid for, by model, tier and kind."""
    trace = trace_page.get_trace_record(scope, request.GET.get("trace", ""))
    groups = cost_of_trace(scope, trace)
    context = {
        "scope": scope,
        "trace": trace,
        "groups": [(group, new_model_url(scope, group.model)) for group in groups],
        "total": sum((group.total for group in groups), ZERO),
        "units": sum(group.units for group in groups),
        "unpriced": [group for group in groups if group.is_unpriced],
        "may_edit": scope.role.allows(Role.MEMBER),
    }
    return render_page(request, "tracing/trace_cost.html", context)
