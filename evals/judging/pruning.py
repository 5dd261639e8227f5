"""What is forgotten with time. A judgement's row is not: it keeps its target from being judged once more, when a rule
is run over old traces or a span comes late. What was sent and answered is, once it is old; the trace of the judgement
still has it. Nothing depends on a trial, so it goes as a whole.
"""

from __future__ import annotations

from datetime import timedelta

import orjson
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from evals.models import Judgement, Trial

#: of each attempt; where they are missing, they were there
FORGOTTEN = ("request", "response")
#: of one transaction, since others wait for it to write
_BATCH = 200
#: of one run; the rest is for the next
_MOST_BATCHES = 200


def prune() -> None:
    if settings.TRIAL_DAYS:
        _remove_trials()
    if settings.JUDGEMENT_LOG_DAYS:
        _shorten_logs()


def _remove_trials() -> None:
    ended = Trial.objects.filter(ended_at__lt=timezone.now() - timedelta(days=settings.TRIAL_DAYS))
    for _batch in range(_MOST_BATCHES):
        ids = list(ended.values_list("pk", flat=True)[:_BATCH])
        Trial.objects.filter(pk__in=ids).delete()
        if len(ids) < _BATCH:
            return


def _shorten_logs() -> None:
    for _batch in range(_MOST_BATCHES):
        judgements = list(old_judgements()[:_BATCH])
        with transaction.atomic():
            for judgement in judgements:
                _shorten(judgement)
        if len(judgements) < _BATCH:
            return


def old_judgements() -> QuerySet[Judgement]:
    """Those that still have what they shall forget; what could not be traced yet waits for that."""
    before = timezone.now() - timedelta(days=settings.JUDGEMENT_LOG_DAYS)
    old = Judgement.objects.filter(is_pruned=False, is_traced=True, ended_at__lt=before)
    return old.only("log_text", "ended_at").order_by("ended_at")


def _shorten(judgement: Judgement) -> None:
    """Not where somebody has it judged anew meanwhile: what was answered then is still needed, and was paid for."""
    kept = [{name: value for name, value in one.items() if name not in FORGOTTEN} for one in judgement.log]
    unchanged = Judgement.objects.filter(pk=judgement.pk, ended_at=judgement.ended_at)
    unchanged.update(log_text=orjson.dumps(kept).decode() if kept else "", answer_text="", is_pruned=True)
