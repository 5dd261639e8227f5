"""Evaluators and the rules by which they judge what arrives; each judgement is a row, so that there is one of each."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from config.claims import Claimed
from evals.models.datasets import json_of
from evals.models.ids import new_id

EVALUATOR_NAME_LENGTH = 255


class EvaluatorKind(models.TextChoices):
    LLM_AS_JUDGE = "llm_as_judge", _("LLM as a judge")
    CODE = "code", _("Code")


class EvaluatorStatus(models.TextChoices):
    ACTIVE = "active", _("Active")
    PAUSED = "paused", _("Paused")


class TargetKind(models.TextChoices):
    OBSERVATION = "observation", _("Observation")
    TRACE = "trace", _("Trace")
    SESSION = "session", _("Session")
    #: the root span of an item of an experiment
    EXPERIMENT = "experiment", _("Experiment item")


class JudgementStatus(models.TextChoices):
    #: until it is due, or until its evaluator, budget or provider allows it
    WAITING = "waiting", _("Waiting")
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")
    #: there was nothing to judge any more, or a person stopped it
    CANCELLED = "cancelled", _("Cancelled")


class Evaluator(models.Model):
    """What judges: a name over versions, of which the last one is used."""

    id = models.CharField(primary_key=True, max_length=255, default=new_id, editable=False)
    project = models.ForeignKey("accounts.Project", models.CASCADE, related_name="evaluators")
    name = models.CharField(max_length=EVALUATOR_NAME_LENGTH)
    description = models.TextField(blank=True, default="")
    kind = models.CharField(max_length=20, choices=EvaluatorKind.choices, default=EvaluatorKind.LLM_AS_JUDGE)
    #: key of the template of the gallery that it was made from; empty for none
    template = models.CharField(max_length=100, blank=True, default="")

    status = models.CharField(max_length=10, choices=EvaluatorStatus.choices, default=EvaluatorStatus.ACTIVE)
    paused_at = models.DateTimeField(null=True, blank=True)
    #: one word for programs, and words for people
    paused_reason = models.CharField(max_length=100, blank=True, default="")
    paused_message = models.TextField(blank=True, default="")

    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = [models.Index(fields=["project", "-created_at"], name="evals_evaluator_newest")]

    def __str__(self) -> str:
        return self.name


class EvaluatorVersion(models.Model):
    """What an evaluator asks, of whom, and what may come of it. Never changes."""

    id = models.CharField(primary_key=True, max_length=255, default=new_id, editable=False)
    evaluator = models.ForeignKey(Evaluator, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    #: JSON list of {role, content} with {{variables}}; of code its source
    prompt_text = models.TextField(blank=True, default="")
    source_code = models.TextField(blank=True, default="")
    source_language = models.CharField(max_length=20, blank=True, default="")
    #: JSON, as `evals.judging.output` reads it
    output_text = models.TextField()
    #: JSON {provider, model, parameters}; empty for the project's default
    model_text = models.TextField(blank=True, default="")
    #: JSON list of {variable, source, jsonPath}; empty for none
    mapping_text = models.TextField(blank=True, default="")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["evaluator", "number"], name="evals_evaluator_version")]

    def __str__(self) -> str:
        return f"{self.evaluator_id} v{self.number}"

    @property
    def messages(self) -> list[dict[str, str]]:
        return json_of(self.prompt_text) or []

    @property
    def output(self) -> dict[str, Any]:
        found: dict[str, Any] = json_of(self.output_text)
        return found

    @property
    def model(self) -> dict[str, Any] | None:
        found: dict[str, Any] | None = json_of(self.model_text)
        return found

    @property
    def mapping(self) -> list[dict[str, Any]] | None:
        found: list[dict[str, Any]] | None = json_of(self.mapping_text)
        return found


class Rule(models.Model):
    """Which targets some evaluators judge, and when."""

    id = models.CharField(primary_key=True, max_length=255, default=new_id, editable=False)
    project = models.ForeignKey("accounts.Project", models.CASCADE, related_name="evaluation_rules")
    name = models.CharField(max_length=255)
    target = models.CharField(max_length=20, choices=TargetKind.choices, default=TargetKind.OBSERVATION)
    #: JSON list of conditions, as the API's `filter` has them
    filter_text = models.TextField(blank=True, default="")
    #: share of the targets that match, above 0 and up to 1
    sampling = models.FloatField(default=1.0)
    #: seconds of quiet before a target is judged
    delay_seconds = models.PositiveIntegerField(default=0)
    #: US dollars a day (UTC); what would exceed it waits for the next one. None for no cap.
    daily_cap = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    #: judges what arrives
    is_enabled = models.BooleanField(default=False)

    #: runs beside that at set times, over what began since its last run; None for no schedule
    schedule = models.OneToOneField(
        "django_celery_beat.PeriodicTask", models.SET_NULL, null=True, blank=True, related_name="+"
    )
    #: most targets of one scheduled run, chosen at random; None for all
    schedule_sample = models.PositiveIntegerField(null=True, blank=True)
    scheduled_at = models.DateTimeField(null=True, blank=True)

    evaluators = models.ManyToManyField(Evaluator, through="Assignment", related_name="rules")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = [models.Index(fields=["project", "-created_at"], name="evals_rule_newest")]

    def __str__(self) -> str:
        return self.name

    @property
    def filter(self) -> list[dict[str, Any]]:
        return json_of(self.filter_text) or []


class Assignment(models.Model):
    """One evaluator of a rule, and how it finds its variables there."""

    rule = models.ForeignKey(Rule, models.CASCADE, related_name="assignments")
    evaluator = models.ForeignKey(Evaluator, models.CASCADE, related_name="assignments")
    #: JSON over the evaluator's own mapping; empty for that
    mapping_text = models.TextField(blank=True, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["rule", "evaluator"], name="evals_assignment_once")]
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.evaluator_id} for {self.rule_id}"

    @property
    def mapping(self) -> list[dict[str, Any]] | None:
        found: list[dict[str, Any]] | None = json_of(self.mapping_text)
        return found


class Assessment(Claimed):
    """A look at one target and what came of it, as judgements and trials have it. `log_text` holds its attempts."""

    target = models.CharField(max_length=20, choices=TargetKind.choices)
    trace_id = models.CharField(max_length=255, blank=True, default="")
    observation_id = models.CharField(max_length=255, blank=True, default="")
    session_id = models.CharField(max_length=255, blank=True, default="")
    #: when the target began; the analytics store finds it by that
    target_at = models.DateTimeField(null=True, blank=True)

    status = models.CharField(max_length=10, choices=JudgementStatus.choices, default=JudgementStatus.WAITING)
    #: as shown: number, True or False, category
    value = models.CharField(max_length=500, blank=True, default="")
    reasoning = models.TextField(blank=True, default="")
    execution_trace_id = models.CharField(max_length=64, blank=True, default="")
    is_traced = models.BooleanField(default=False)
    #: in US dollars over all attempts; None where no attempt had a price
    cost = models.DecimalField(max_digits=18, decimal_places=12, null=True, blank=True)
    #: what went wrong last, in words; empty where nothing did
    problem = models.TextField(blank=True, default="")
    #: JSON list of attempts, as `evals.judging.asking.Entry` has them
    log_text = models.TextField(blank=True, default="")

    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True

    @property
    def log(self) -> list[dict[str, Any]]:
        return json_of(self.log_text) or []

    @property
    def seconds(self) -> float | None:
        """How long the last attempt and all after it took; None until it has ended."""
        if self.started_at is None or self.ended_at is None:
            return None
        return (self.ended_at - self.started_at).total_seconds()


class Judgement(Assessment):
    """One evaluator's look at one target: waiting, at work, or what came of it.

    The id is made of rule (or experiment), evaluator and target, and the score's and the trace's ids are made of it:
    whatever is retried, killed or matched again comes to the same ones.
    """

    id = models.CharField(primary_key=True, max_length=64)
    project = models.ForeignKey("accounts.Project", models.CASCADE, related_name="judgements")
    rule = models.ForeignKey(Rule, models.SET_NULL, null=True, blank=True, related_name="judgements")
    evaluator = models.ForeignKey(Evaluator, models.CASCADE, related_name="judgements")
    #: the one that judged, once it did
    version = models.ForeignKey(EvaluatorVersion, models.SET_NULL, null=True, blank=True, related_name="+")
    experiment = models.ForeignKey("evals.Experiment", models.CASCADE, null=True, blank=True, related_name="judgements")
    #: live, backfill, schedule, experiment or manual
    origin = models.CharField(max_length=20)

    #: not before
    due_at = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0)
    #: "cap" while the daily cap of its rule keeps it waiting; else empty
    held_by = models.CharField(max_length=10, blank=True, default="")

    #: JSON {value, reasoning} that the judge gave, kept before any score is written, so that no model is asked twice;
    #: empty until then
    answer_text = models.TextField(blank=True, default="")
    score_id = models.CharField(max_length=255, blank=True, default="")
    #: whether `log_text` has lost what was sent and answered, for its age, and `answer_text` is gone
    is_pruned = models.BooleanField(default=False)

    class Meta:
        indexes = [
            models.Index(fields=["status", "due_at"], name="evals_judgement_due"),
            models.Index(fields=["evaluator", "status", "due_at"], name="evals_judgement_due_of"),
            models.Index(fields=["rule", "started_at"], name="evals_judgement_started"),
            models.Index(fields=["project", "-created_at"], name="evals_judgement_newest"),
            models.Index(fields=["rule", "-created_at"], name="evals_judgement_of_rule"),
            models.Index(fields=["evaluator", "-created_at"], name="evals_judgement_of_evaluator"),
            models.Index(fields=["ended_at"], condition=models.Q(is_traced=False), name="evals_judgement_not_traced"),
            models.Index(fields=["ended_at"], condition=models.Q(is_pruned=False), name="evals_judgement_unpruned"),
        ]

    def __str__(self) -> str:
        return self.id


class Candidate(models.Model):
    """A trace, session or unfinished observation that a rule may judge once nothing more arrives of it."""

    id = models.CharField(primary_key=True, max_length=64)
    rule = models.ForeignKey(Rule, models.CASCADE, related_name="candidates")
    target = models.CharField(max_length=20, choices=TargetKind.choices)
    trace_id = models.CharField(max_length=255, blank=True, default="")
    observation_id = models.CharField(max_length=255, blank=True, default="")
    session_id = models.CharField(max_length=255, blank=True, default="")
    #: the earliest start of what arrived of it
    target_at = models.DateTimeField()
    #: moves on with each arrival
    due_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["due_at"], name="evals_candidate_due")]

    def __str__(self) -> str:
        return self.id


class Trial(Assessment):
    """A definition tried on one target before it is saved. It is asked once, traced, and writes no score; its
    status is never CANCELLED."""

    id = models.CharField(primary_key=True, max_length=255, default=new_id, editable=False)
    project = models.ForeignKey("accounts.Project", models.CASCADE, related_name="+")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    #: JSON, as `evals.judging.definition` reads it
    definition_text = models.TextField()

    class Meta:
        indexes = [
            models.Index(fields=["status", "created_at"], name="evals_trial_waiting"),
            models.Index(fields=["project", "-created_at"], name="evals_trial_newest"),
        ]

    def __str__(self) -> str:
        return self.id


class DefaultJudge(models.Model):
    """The model that evaluators of a project ask when they name none."""

    project = models.OneToOneField("accounts.Project", models.CASCADE, related_name="default_judge")
    #: JSON {provider, model, parameters}
    model_text = models.TextField()
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return self.project_id

    @property
    def model(self) -> dict[str, Any]:
        found: dict[str, Any] = json_of(self.model_text)
        return found


class ModelAbility(models.Model):
    """In which way a model gave structured answers last, so that the next judgement begins with that one."""

    connection = models.ForeignKey("prompts.LlmConnection", models.CASCADE, related_name="+")
    model = models.CharField(max_length=255)
    #: schema, tool or text
    way = models.CharField(max_length=10)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["connection", "model"], name="evals_model_ability")]

    def __str__(self) -> str:
        return f"{self.model}: {self.way}"


class Arrival(models.Model):
    """That observations were stored that rules or experiments may have to hear of; gone once they have."""

    project = models.ForeignKey("accounts.Project", models.CASCADE, related_name="+")
    #: JSON, as `evals.arrivals` writes it
    content = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)
    #: since when a process tells of it; None where none does
    taken_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.project_id} at {self.created_at}"
