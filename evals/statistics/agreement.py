"""How far two judges of the same things agree: numbers with numbers, categories with categories.

SciPy and scikit-learn are imported where they are used: they take 79 and 81 MB, and some seconds each on a busy
machine, and most processes never need them.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NumbersCompared:
    """None where a measure is not defined: of fewer than two pairs, or where one side never varies."""

    pairs: int
    pearson: float | None
    spearman: float | None
    #: mean absolute and root mean square of the differences
    mae: float | None
    rmse: float | None


@dataclass(frozen=True, slots=True)
class LabelsCompared:
    """`labels` in the order of the rows and columns of `matrix`, whose rows are the first judge's."""

    pairs: int
    labels: tuple[str, ...]
    matrix: tuple[tuple[int, ...], ...]
    #: share of the pairs that are the same
    agreement: float | None
    #: Cohen's, unweighted
    kappa: float | None
    f1_macro: float | None
    f1_weighted: float | None


def compare_numbers(first: Sequence[float], second: Sequence[float]) -> NumbersCompared:
    """Of values that belong together by their place. Raises ValueError for different lengths."""
    differences = [b - a for a, b in zip(first, second, strict=True)]
    if not differences:
        return NumbersCompared(0, None, None, None, None)
    mae = math.fsum(abs(one) for one in differences) / len(differences)
    rmse = math.sqrt(math.fsum(one * one for one in differences) / len(differences))
    if len(differences) < 2 or len(set(first)) < 2 or len(set(second)) < 2:
        return NumbersCompared(len(differences), None, None, mae, rmse)
    from scipy import stats

    pearson, spearman = stats.pearsonr(first, second).statistic, stats.spearmanr(first, second).statistic
    return NumbersCompared(len(differences), _finite(pearson), _finite(spearman), mae, rmse)


def compare_labels(first: Sequence[str], second: Sequence[str], *, order: Sequence[str] = ()) -> LabelsCompared:
    """Of labels that belong together by their place; `order` is how those that it knows are sorted.

    Raises ValueError for different lengths.
    """
    pairs = list(zip(first, second, strict=True))
    known = {label: place for place, label in enumerate(order)}
    labels = sorted({*first, *second}, key=lambda label: (known.get(label, len(known)), label))
    if not pairs:
        return LabelsCompared(0, (), (), None, None, None, None)
    from sklearn import metrics

    with warnings.catch_warnings():
        # Where both judges know one label only, kappa is not defined, which it says by NaN and a warning.
        warnings.simplefilter("ignore")
        matrix = metrics.confusion_matrix(first, second, labels=labels)
        kappa = metrics.cohen_kappa_score(first, second)
        macro, weighted = (
            metrics.f1_score(first, second, average=average, zero_division=0) for average in ("macro", "weighted")
        )
    return LabelsCompared(
        len(pairs),
        tuple(labels),
        tuple(tuple(int(cell) for cell in row) for row in matrix),
        sum(a == b for a, b in pairs) / len(pairs),
        _finite(kappa),
        _finite(macro),
        _finite(weighted),
    )


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
