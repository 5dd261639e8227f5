"""What people type to judge: a value under a config or a name, and a new config."""

from __future__ import annotations

import math
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from evals.models import CONFIG_NAME_LENGTH, ScoreConfig, ScoreConfigType
from tracing.analytics.records import ScoreType
from tracing.ingest.score_rules import LONGEST_TEXT

#: of what is judged without a config
LONGEST_NAME = 100
LONGEST_COMMENT = 5000

TYPES = [
    (ScoreType.NUMERIC.value, gettext_lazy("Number")),
    (ScoreType.CATEGORICAL.value, gettext_lazy("Category")),
    (ScoreType.BOOLEAN.value, gettext_lazy("Yes or no")),
    (ScoreType.TEXT.value, gettext_lazy("Text")),
]


class ScoreForm(forms.Form):
    """One score. With a config its rules hold; else `name` and `data_type` are given, too."""

    name = forms.CharField(required=False, max_length=LONGEST_NAME)
    data_type = forms.ChoiceField(required=False, choices=TYPES)
    value = forms.CharField(required=False, strip=True)
    comment = forms.CharField(required=False, max_length=LONGEST_COMMENT)

    def __init__(self, *args: Any, config: ScoreConfig | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.config = config

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if self.config is None and not cleaned.get("name"):
            self.add_error("name", _("Give the score a name."))
        if self.config is None and not cleaned.get("data_type"):
            self.add_error("data_type", _("Choose what kind of value it has."))
        if not self.errors:
            data_type = self.config.data_type if self.config else cleaned["data_type"]
            cleaned["value"] = self._value(data_type, cleaned.get("value", ""))
        return cleaned

    def _value(self, data_type: str, text: str) -> float | str:
        if not text:
            self.add_error("value", _("Give a value."))
            return ""
        if data_type == ScoreType.NUMERIC:
            return self._number(text)
        if data_type == ScoreType.BOOLEAN:
            if text not in ("0", "1"):
                self.add_error("value", _("Choose yes or no."))
            return 1 if text == "1" else 0
        if self.config and data_type == ScoreType.CATEGORICAL and text not in self.config.labels:
            self.add_error("value", _("Choose one of the categories."))
        if len(text) > LONGEST_TEXT:
            self.add_error("value", _("A text has %(most)d characters at most.") % {"most": LONGEST_TEXT})
        return text

    def _number(self, text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            self.add_error("value", _("Give a number, such as 0.8."))
            return 0.0
        low, high = (self.config.min_value, self.config.max_value) if self.config else (None, None)
        if low is not None and number < low:
            self.add_error("value", _("Give at least %(least)g.") % {"least": low})
        if high is not None and number > high:
            self.add_error("value", _("Give at most %(most)g.") % {"most": high})
        return number


class NewConfigForm(forms.Form):
    """The common part of a score config: its name, kind, and what it may be."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=CONFIG_NAME_LENGTH)
    data_type = forms.ChoiceField(
        label=gettext_lazy("Kind"),
        choices=[
            (ScoreConfigType.CATEGORICAL.value, gettext_lazy("Category")),
            (ScoreConfigType.NUMERIC.value, gettext_lazy("Number")),
            (ScoreConfigType.BOOLEAN.value, gettext_lazy("Yes or no")),
            (ScoreConfigType.TEXT.value, gettext_lazy("Text")),
        ],
    )
    categories = forms.CharField(
        label=gettext_lazy("Categories, best last"),
        required=False,
        help_text=gettext_lazy("For a category: its names with commas between, such as bad, fair, good."),
        max_length=2000,
    )
    min_value = forms.FloatField(label=gettext_lazy("Least"), required=False)
    max_value = forms.FloatField(label=gettext_lazy("Most"), required=False)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        labels = [label.strip() for label in cleaned.get("categories", "").split(",") if label.strip()]
        if cleaned.get("data_type") == ScoreConfigType.CATEGORICAL:
            if not labels:
                self.add_error("categories", _("Name the categories that can be chosen."))
            cleaned["categories"] = [{"label": label, "value": number} for number, label in enumerate(labels)]
        else:
            cleaned["categories"] = None
        if cleaned.get("data_type") != ScoreConfigType.NUMERIC:
            cleaned["min_value"] = cleaned["max_value"] = None
        return cleaned
