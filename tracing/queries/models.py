"""Definitions of models: those of a project and the built-in ones."""

from __future__ import annotations

from django.db.models import F, Q, QuerySet

from accounts.access import ProjectScope
from config.errors import NotFound
from tracing.models import Model
from tracing.queries.paging import Numbered, PageNumber

UNKNOWN = "No model with this id found."


def list_models(scope: ProjectScope, number: PageNumber) -> Numbered[Model]:
    """By name, then unit, then start date (newest first, none last). Their tiers are read with them."""
    models = _visible(scope)
    page = models.order_by("name", "unit", F("start_date").desc(nulls_last=True), "pk")[
        number.offset : number.offset + number.limit
    ]
    return Numbered(list(page.prefetch_related("tiers")), number, models.count())


def find_models(scope: ProjectScope, number: PageNumber, *, text: str = "", own: bool | None = None) -> Numbered[Model]:
    """Those whose name, pattern or provider holds the text, in any case; the project's own first."""
    models = _visible(scope)
    if own is not None:
        models = models.filter(project__isnull=not own)
    if text:
        models = models.filter(Q(name__icontains=text) | Q(match_pattern__icontains=text) | Q(provider__icontains=text))
    ordered = models.order_by(F("project_id").asc(nulls_last=True), "name", F("start_date").desc(nulls_last=True), "pk")
    page = ordered[number.offset : number.offset + number.limit]
    return Numbered(list(page.prefetch_related("tiers")), number, models.count())


def get_model(scope: ProjectScope, model_id: str) -> Model:
    """Raises NotFound, for models of other projects too."""
    models = _visible(scope).filter(Model.is_called(model_id)).prefetch_related("tiers")
    found = max(models, key=lambda model: not model.is_builtin, default=None)
    if found is None:
        raise NotFound(UNKNOWN)
    return found


def _visible(scope: ProjectScope) -> QuerySet[Model]:
    return Model.objects.filter(Q(project_id=scope.project_id) | Q(project=None))
