"""Which model a name belongs to. Kept in memory for each project; a change is seen within a few seconds.

Ingestion asks once a span, so there is no query here except a tiny one every few seconds: the number of models and
the time of the newest change. Whoever changes a tier therefore saves its model too.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches

from django.db.models import Count, F, Max, Q

from config.errors import Invalid
from tracing.models import Model
from tracing.pricing.rates import PricedModel, priced_model

log = logging.getLogger(__name__)

_CHECK_SECONDS = 3.0
#: no transaction that changes prices takes longer
_SETTLES_AFTER = timedelta(seconds=30)
_MOST_PROJECTS = 500
#: Names a project uses are few; a client that makes one up for every call must not fill the memory.
_MOST_NAMES = 2000
_LONGEST_NAME = 500

Stamp = tuple[int, object]


class Catalogue:
    """The models of one project, its own before the built-in ones, of each the one that came into force last first."""

    def __init__(self, models: Iterable[PricedModel]) -> None:
        self._models = tuple(models)
        self._known: dict[str, tuple[PricedModel, ...]] = {}

    def match(self, name: str, at: datetime | None = None) -> PricedModel | None:
        """The definition in force for a call that began then (now, unless told)."""
        try:
            candidates = self._known[name]
        except KeyError:
            candidates = self._search(name)
        for model in candidates:
            if model.starts_at is None or model.starts_at <= (at or datetime.now(UTC)):
                return model
        return None

    def candidates(self, name: str) -> tuple[PricedModel, ...]:
        """All definitions that match a name, the first one in force wins."""
        return tuple(model for model in self._models if len(name) <= _LONGEST_NAME and model.matches(name))

    def nearest(self, name: str, count: int = 3) -> list[PricedModel]:
        """Definitions whose own name looks most like this one, for whoever wonders why none matches."""
        by_name = {model.name.lower(): model for model in reversed(self._models)}
        plain = name.lower().rpartition("/")[2][:_LONGEST_NAME]
        return [by_name[close] for close in get_close_matches(plain, by_name, count, cutoff=0.65)]

    def _search(self, name: str) -> tuple[PricedModel, ...]:
        """Those that may be in force: what comes after one without a start never is."""
        if len(name) > _LONGEST_NAME:
            return ()
        found: list[PricedModel] = []
        for model in self._models:
            if model.matches(name):
                found.append(model)
                if model.starts_at is None:
                    break
        if len(self._known) >= _MOST_NAMES:
            self._known.clear()
        self._known[name] = tuple(found)
        return self._known[name]


class _Catalogues:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_project: OrderedDict[str, Catalogue] = OrderedDict()
        self._stamp: Stamp | None = None
        self._checked_at = 0.0
        self._builtin: tuple[PricedModel, ...] | None = None

    def get(self, project_id: str) -> Catalogue:
        with self._lock:
            self._forget_if_changed()
            catalogue = self._by_project.get(project_id)
            if catalogue is None:
                catalogue = self._by_project[project_id] = self._load(project_id)
                if len(self._by_project) > _MOST_PROJECTS:
                    self._by_project.popitem(last=False)
            self._by_project.move_to_end(project_id)
            return catalogue

    def forget(self) -> None:
        with self._lock:
            self._by_project.clear()
            self._builtin = None
            self._stamp = None
            self._checked_at = 0.0

    def _forget_if_changed(self) -> None:
        now = time.monotonic()
        if self._stamp is not None and now - self._checked_at < _CHECK_SECONDS:
            return
        newest = Model.objects.aggregate(count=Count("id"), newest=Max("updated_at"))
        stamp = (newest["count"], newest["newest"])
        if stamp != self._stamp or _is_fresh(newest["newest"]):
            self._by_project.clear()
            self._builtin = None
        self._stamp, self._checked_at = stamp, now

    def _load(self, project_id: str) -> Catalogue:
        if self._builtin is None:
            self._builtin = tuple(_compiled(Q(project__isnull=True)))
        return Catalogue((*_compiled(Q(project_id=project_id)), *self._builtin))


def _is_fresh(change: datetime | None) -> bool:
    """Whether a change with an earlier time may yet be committed, which the time of the newest would not tell."""
    return change is not None and datetime.now(UTC) - change < _SETTLES_AFTER


def _compiled(where: Q) -> Iterable[PricedModel]:
    rows = Model.objects.filter(where).order_by(F("start_date").desc(nulls_last=True), "name")
    for row in rows.prefetch_related("tiers"):
        try:
            yield priced_model(row, row.tiers.all())
        except (Invalid, ArithmeticError, KeyError, TypeError, AttributeError) as error:
            # One broken row (edited by hand, say) must not stop ingestion.
            log.warning("Model %s (%s) is left out: %s", row.name, row.id, error)


_catalogues = _Catalogues()


def catalogue_for(project_id: str) -> Catalogue:
    return _catalogues.get(project_id)


def forget_catalogues() -> None:
    """See changes at once in this process; others see them within seconds."""
    _catalogues.forget()
