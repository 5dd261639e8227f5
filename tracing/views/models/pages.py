"""Settings of a project: model prices. Found, tried out, looked at, written, removed."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

import orjson
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.audit import Actor
from accounts.queries import get_project
from accounts.roles import Role
from accounts.views.answers import see_other
from config.errors import Invalid, NotFound, SpanwiseError
from config.posting import posted_from
from config.rendering import render_page
from tracing import actions
from tracing.actions.recompute import Preview, preview, start_recomputation
from tracing.forms import text_from
from tracing.ingest.reprice import Repricing
from tracing.models.prices import Model, Tokenizer, Unit
from tracing.pricing import Call, PricedModel, catalogue_for, compile_pattern, tried_tiers
from tracing.pricing.kinds import grouped
from tracing.pricing.rates import OPERATORS
from tracing.queries.cost import list_observed_models
from tracing.queries.models import find_models, get_model
from tracing.queries.paging import PageNumber
from tracing.queries.periods import RANGES, Period
from tracing.views.cost import SIGNS, ShownTier, model_url, new_model_url, shown_tiers
from tracing.views.models import drafts

PAGE_SIZE = 50
OBSERVED_RANGE = "30d"
_LARGEST_UNITS = 2**62
#: names as programs write them, in any language
_EXAMPLES = {
    "name": "gpt-5.4",
    "parameter": "service_tier",
    "value": "batch",
    "kind": "input",
    "tokenizer": '{"tokenizerModel": "gpt-4o", "tokensPerMessage": 3, "tokensPerName": 1}',
}


@require_safe
@project_page(Role.VIEWER)
def model_list(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    text, kind = text_from(request.GET, "q"), request.GET.get("kind", "")
    own = {"own": True, "built-in": False}.get(kind)
    found = find_models(scope, _page_number(request.GET), text=text, own=own)
    context = {
        **_frame(scope),
        "text": text,
        "kind": kind if own is not None else "",
        "found": found,
        "definitions": [(model, _sides(model)) for model in found.items],
        "previous_page": found.number.page - 1,
        "next_page": found.number.page + 1,
        "observed": cache(lambda: Observed(scope)),
        "trial": Trial(scope, request.GET),
    }
    return render_page(request, "tracing/model_list.html", context, fragment=("match", "definitions"))


@require_safe
@project_page(Role.VIEWER)
def model_detail(request: HttpRequest, scope: ProjectScope, model_id: str) -> HttpResponse:
    model = get_model(scope, model_id)
    return render_page(request, "tracing/model_detail.html", {**_frame(scope), "shown": ShownModel(scope, model)})


@require_safe
@project_page(Role.MEMBER)
def model_new(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """Empty, for a name that was observed (`name`), or a copy of another definition (`from`)."""
    name = text_from(request.GET, "name")
    draft = drafts.blank(name)
    if request.GET.get("from"):
        draft = drafts.of_model(get_model(scope, request.GET["from"]))
        draft.start = ""
    return _form(request, scope, draft)


@posted_from("tracing:model-new")
@project_page(Role.MEMBER)
def model_create(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    return _save(request, scope, None)


@require_safe
@project_page(Role.MEMBER)
def model_edit(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    model = _own(scope, request.GET.get("model", ""))
    return _form(request, scope, drafts.of_model(model), model)


@posted_from("tracing:model-list")
@project_page(Role.MEMBER)
def model_update(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    return _save(request, scope, _own(scope, request.POST.get("model", "")))


@posted_from("tracing:model-list")
@project_page(Role.MEMBER)
def model_delete(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    model = _own(scope, request.POST.get("model", ""))
    actions.delete_model(scope, model.public_id, actor=Actor.of(request))
    messages.success(request, _("“%(name)s” is deleted. What it priced keeps its cost.") % {"name": model.name})
    return see_other(reverse("tracing:model-list", args=[scope.project_id]))


@require_safe
@project_page(Role.VIEWER)
def model_recompute(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """What recomputing costs would come to."""
    return _recompute_page(request, scope, Recomputation(scope, request.GET))


@posted_from("tracing:model-recompute")
@project_page(Role.MEMBER)
def model_recompute_start(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    wanted = Recomputation(scope, request.POST)
    try:
        if wanted.problem:
            raise Invalid(wanted.problem)
        job = start_recomputation(scope, wanted.repricing, actor=Actor.of(request))
    except Invalid as refusal:
        wanted.problem = refusal.message
        return _recompute_page(request, scope, wanted, status=422)
    return see_other(reverse("tracing:job-detail", args=[scope.project_id, job.pk]))


# --- What pages show --------------------------------------------------------------------------------------


class Observed:
    """The model names that clients sent lately, those without a price first."""

    def __init__(self, scope: ProjectScope) -> None:
        self.problem: SpanwiseError | None = None
        self.names = []
        try:
            self.names = list_observed_models(scope, Period.named(OBSERVED_RANGE))
        except SpanwiseError as problem:
            self.problem = problem
        self.unpriced = [(model, new_model_url(scope, model.name)) for model in self.names if model.is_unpriced]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A definition that matches a name, and whether it is the one that counts."""

    model: PricedModel
    url: str
    wins: bool
    is_planned: bool


class Trial:
    """A call that somebody makes up, to see which definition and which tier it would get."""

    def __init__(self, scope: ProjectScope, data: QueryDict) -> None:
        self._scope = scope
        self.name = text_from(data, "test")
        self.input, self.output = (_units(data.get(side, "")) for side in ("input", "output"))
        self.parameter, self.value = text_from(data, "parameter"), text_from(data, "value")

    @property
    def candidates(self) -> list[Candidate]:
        catalogue = catalogue_for(self._scope.project_id)
        winner, found = catalogue.match(self.name), []
        has_won = False
        for model in catalogue.candidates(self.name):
            wins = model is winner
            found.append(Candidate(model, model_url(self._scope, model), wins, not wins and not has_won))
            has_won = has_won or wins
        return found

    @property
    def winner(self) -> PricedModel | None:
        return catalogue_for(self._scope.project_id).match(self.name)

    @property
    def nearest(self) -> list[tuple[PricedModel, str]]:
        nearest = catalogue_for(self._scope.project_id).nearest(self.name)
        return [(model, model_url(self._scope, model)) for model in nearest]

    @property
    def tiers(self) -> list[ShownTier]:
        winner = self.winner
        return shown_tiers(tried_tiers(winner, self._call)) if winner else []

    @property
    def lines(self) -> list[tuple[str, int, Decimal | None, Decimal | None]]:
        """Kind, units, price per million and amount, of what was typed."""
        winner = self.winner
        tier = winner.tier_for(self._call) if winner else None
        lines = []
        for kind, units in self._call.usage.items():
            price = tier.prices.get(kind) if tier else None
            lines.append((kind, units, _million(price), None if price is None else price * units))
        return lines

    @property
    def add_url(self) -> str:
        return new_model_url(self._scope, self.name)

    @property
    def _call(self) -> Call:
        usage = {kind: units for kind, units in (("input", self.input), ("output", self.output)) if units}
        parameters = orjson.dumps({self.parameter: self.value}).decode() if self.parameter else ""
        return Call(usage, parameters, {self.parameter: self.value} if self.parameter else {})


class ShownModel:
    """A definition as people read it."""

    def __init__(self, scope: ProjectScope, model: Model) -> None:
        self._scope, self.record = scope, model
        self.tiers = sorted(model.tiers.all(), key=lambda tier: (not tier.is_default, tier.priority))

    @property
    def rows(self) -> list[tuple[str, str, list[Decimal | None]]]:
        """The first name of a kind, its others, and the price per million in each tier."""
        prices = [{key: Decimal(str(price)) for key, price in tier.prices.items()} for tier in self.tiers]
        return [
            (names[0], ", ".join(names[1:]), [_million(price) for price in each]) for names, each in grouped(prices)
        ]

    @property
    def conditions(self) -> list[tuple[str, list[str]]]:
        return [(tier.name, [_said(spec) for spec in tier.conditions]) for tier in self.tiers if tier.conditions]

    @property
    def edit_url(self) -> str:
        return self._with("tracing:model-edit", "model")

    @property
    def clone_url(self) -> str:
        return self._with("tracing:model-new", "from")

    @property
    def recompute_url(self) -> str:
        return reverse("tracing:model-recompute", args=[self._scope.project_id])

    def _with(self, view: str, parameter: str) -> str:
        query = QueryDict(mutable=True)
        query[parameter] = self.record.public_id
        return f"{reverse(view, args=[self._scope.project_id])}?{query.urlencode()}"


class Recomputation:
    """Which stretch of history, as the form or the address says."""

    def __init__(self, scope: ProjectScope, data: QueryDict) -> None:
        self._scope = scope
        self.name = text_from(data, "name")
        self.range = data.get("range", "30d") if data.get("range", "30d") in RANGES else "30d"
        self.period = Period.named(self.range)
        self.problem = ""
        self.has_asked = "range" in data or "name" in data

    @property
    def repricing(self) -> Repricing:
        return Repricing(self.period.since, None, (self.name,) if self.name else ())

    def look_ahead(self) -> Preview | None:
        try:
            return preview(self._scope, self.repricing)
        except SpanwiseError as problem:
            self.problem = problem.message
            return None


# --- Forms ------------------------------------------------------------------------------------------------


def _save(request: HttpRequest, scope: ProjectScope, model: Model | None) -> HttpResponse:
    draft = drafts.of_post(request.POST)
    wish = request.POST.get("do", "save")
    if wish != "save":
        drafts.change_shape(draft, wish)
        return _form(request, scope, draft, model)
    definition = drafts.checked(draft)
    if definition is not None:
        try:
            if model is None:
                saved = actions.create_model(scope, definition, actor=Actor.of(request))
            else:
                saved = actions.put_model(scope, model.public_id, definition, actor=Actor.of(request))
        except Invalid:
            draft.errors["name"] = _("The project has a definition of this name that begins on the same day.")
        else:
            messages.success(request, _("Saved. Calls from now on are priced by it; recompute costs for earlier ones."))
            return see_other(reverse("tracing:model-detail", args=[scope.project_id, saved.public_id]))
    return _form(request, scope, draft, model, status=422)


def _form(
    request: HttpRequest, scope: ProjectScope, draft: drafts.Draft, model: Model | None = None, status: int = 200
) -> HttpResponse:
    tests = request.POST.get("try", "") if request.method == "POST" else request.GET.get("name", "")
    context = {
        **_frame(scope),
        "draft": draft,
        "model": model,
        "units": Unit.choices,
        "tokenizers": Tokenizer.choices,
        "operators": [(name, SIGNS[name]) for name in OPERATORS],
        "sources": [("usage", _("units of")), ("model_parameters", _("parameter")), ("metadata", _("metadata"))],
        "matched": _matches(draft, tests),
        "try_name": tests,
    }
    return render_page(request, "tracing/model_form.html", context, status=status)


def _matches(draft: drafts.Draft, name: str) -> bool | None:
    """Whether the pattern as it is typed matches; None without a name or with a pattern that cannot be used."""
    if not name or not draft.pattern:
        return None
    try:
        return compile_pattern(draft.pattern)(name)
    except Invalid:
        return None


def _recompute_page(
    request: HttpRequest, scope: ProjectScope, wanted: Recomputation, status: int = 200
) -> HttpResponse:
    context = {**_frame(scope), "wanted": wanted, "preview": wanted.look_ahead(), "ranges": _range_labels()}
    return render_page(request, "tracing/model_recompute.html", context, fragment="preview", status=status)


def _range_labels() -> list[tuple[str, str]]:
    return [
        ("24h", _("Past 24 hours")),
        ("7d", _("Past 7 days")),
        ("30d", _("Past 30 days")),
        ("90d", _("Past 90 days")),
        ("all", _("All time")),
    ]


def _frame(scope: ProjectScope) -> dict[str, Any]:
    may_edit = scope.role.allows(Role.MEMBER)
    return {"scope": scope, "project": get_project(scope), "may_edit": may_edit, "examples": _EXAMPLES}


def _own(scope: ProjectScope, model_id: str) -> Model:
    """Raises NotFound for built-in models too."""
    model = get_model(scope, model_id)
    if model.is_builtin:
        raise NotFound(_("A built-in model cannot be changed. Make a copy: the project's own come first."))
    return model


def _said(spec: dict[str, Any]) -> str:
    if "source" in spec:
        where = _("parameter") if spec["source"] == "model_parameters" else _("metadata")
        return f"{where} {spec['key']} = {', '.join(map(str, spec['values']))}"
    return f"{_('units of')} {spec['usageDetailPattern']} {SIGNS.get(spec['operator'], '?')} {spec['value']:,}"


def _sides(model: Model) -> list[Decimal | None]:
    """What input and output cost per million in the default tier."""
    default: dict[str, str] = next((tier.prices for tier in model.tiers.all() if tier.is_default), {})
    return [_million(Decimal(str(default[side]))) if side in default else None for side in ("input", "output")]


def _million(price: Decimal | None) -> Decimal | None:
    return None if price is None else price * 1_000_000


def _units(text: str) -> int:
    text = text.replace(",", "").strip()
    return min(int(text), _LARGEST_UNITS) if text.isascii() and text.isdigit() and len(text) < 20 else 0


def _page_number(data: QueryDict) -> PageNumber:
    text = data.get("page", "")
    page = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 1
    return PageNumber(max(page, 1), PAGE_SIZE)
