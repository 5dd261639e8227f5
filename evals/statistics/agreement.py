"""How far two judges of the same things agree: numbers with numbers, categories with categories.

SciPy and scikit-learn are imported where they are used: they take 79 and 81 MB, and some seconds each on a busy
machine, and most processes never need them.
"""

from __future__ import annotations

import math
from collections import Counter
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
    """`labels` in the order of the rows and columns of `matrix`, whose rows are the first judge's.

    Where there are `others`, which are so many labels more, the last row and the last column are all of them.
    """

    pairs: int
    labels: tuple[str, ...]
    others: int
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


def compare_labels(
    first: Sequence[str], second: Sequence[str], *, most: int, order: Sequence[str] = ()
) -> LabelsCompared:
    """Of labels that belong together by their place; `order` is how those that it knows are sorted.

    The matrix has the `most` that are used most; the measures are of all. Raises ValueError for different lengths.
    """
    pairs = list(zip(first, second, strict=True))
    if not pairs:
        return LabelsCompared(0, (), 0, (), None, None, None, None)
    ones, twos = Counter(first), Counter(second)
    used = ones + twos
    known = {label: place for place, label in enumerate(order)}
    shown = sorted(used, key=lambda label: (-used[label], label))[:most]
    labels = sorted(shown, key=lambda label: (known.get(label, len(known)), label))
    others = len(used) - len(labels)
    from sklearn import metrics

    macro, weighted = (
        metrics.f1_score(first, second, average=average, zero_division=0) for average in ("macro", "weighted")
    )
    same = sum(a == b for a, b in pairs)
    return LabelsCompared(
        len(pairs),
        tuple(labels),
        others,
        _matrix(pairs, labels, len(labels) + bool(others)),
        same / len(pairs),
        _kappa(len(pairs), same, sum(number * twos[label] for label, number in ones.items())),
        _finite(macro),
        _finite(weighted),
    )


def _matrix(pairs: list[tuple[str, str]], labels: list[str], size: int) -> tuple[tuple[int, ...], ...]:
    places = {label: place for place, label in enumerate(labels)}
    counted = Counter((places.get(a, len(labels)), places.get(b, len(labels))) for a, b in pairs)
    return tuple(tuple(counted[row, column] for column in range(size)) for row in range(size))


def _kappa(pairs: int, same: int, by_chance: int) -> float | None:
    """None where both judges know one label only. `by_chance` of the square of `pairs` would be the same by chance.

    Not by scikit-learn, which makes a matrix of all labels for it: gigabytes where there are thousands.
    """
    if by_chance == pairs * pairs:
        return None
    return (same * pairs - by_chance) / (pairs * pairs - by_chance)


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
