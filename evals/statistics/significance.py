"""Whether a difference between two runs over the same items is more than chance.

Values are paired by item. SciPy is imported where it is used: it is large, and most processes never need it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev

#: Fewer pairs cannot tell anything: with five that all go one way, Wilcoxon's two-sided p is 0.06 at best.
LEAST_PAIRS = 6
#: From here on means are normal enough for a t-test, whatever the values look like.
MANY_PAIRS = 30
LEVEL = 0.05
#: Differences below this are noise of floats: the mean of three times 0.7 is not 0.7.
SAME = 1e-9

T_TEST, WILCOXON, MCNEMAR = "t-test", "wilcoxon", "mcnemar"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a test says of one measure of one run against the baseline.

    `effect` is the mean of the differences (of truth values: the difference of the shares), with the bounds of its 95 %
    confidence interval; None where it cannot be told. `p` is two-sided, `adjusted` as `corrected` has it. `test` is
    empty where there are too few pairs for one.
    """

    pairs: int
    effect: float
    low: float | None = None
    high: float | None = None
    test: str = ""
    p: float | None = None
    adjusted: float | None = None

    @property
    def is_significant(self) -> bool:
        return self.adjusted is not None and self.adjusted < LEVEL

    @property
    def has_too_few(self) -> bool:
        return not self.test


def judge(before: Sequence[float], after: Sequence[float], *, is_boolean: bool) -> Verdict:
    """Of values that belong together by their place. Truth values that were repeated are shares, and taken as numbers.

    Raises ValueError for sequences of different lengths.
    """
    exact = [b - a for a, b in zip(before, after, strict=True)]
    differences = [0.0 if abs(one) <= SAME else one for one in exact]
    if not differences:
        return Verdict(0, 0.0)
    if is_boolean and all(value in (0.0, 1.0) for value in (*before, *after)):
        return _judge_truth(differences)
    return _judge_numbers(differences)


def _judge_numbers(differences: Sequence[float]) -> Verdict:
    from scipy import stats

    n, effect = len(differences), fmean(differences)
    if n < LEAST_PAIRS:
        return Verdict(n, effect)
    spread = stdev(differences)
    if spread <= 1e-12 * max(abs(effect), 1e-300):
        # All differ by the same: there is no chance in it, and a t-test would divide by nothing.
        if effect == 0:
            return Verdict(n, 0.0, 0.0, 0.0, WILCOXON, 1.0)
        low = high = effect
    else:
        reach = float(stats.t.ppf(0.975, n - 1)) * spread / math.sqrt(n)
        low, high = effect - reach, effect + reach
        if n >= MANY_PAIRS:
            p = float(stats.ttest_1samp(differences, 0.0).pvalue)
            return Verdict(n, effect, low, high, T_TEST, p)
    p = float(stats.wilcoxon(differences, zero_method="pratt").pvalue)
    return Verdict(n, effect, low, high, WILCOXON, p)


def _judge_truth(differences: Sequence[float]) -> Verdict:
    """McNemar's exact test: of the pairs that changed, as many should have changed each way."""
    from scipy import stats

    n = len(differences)
    gained, lost = sum(1 for one in differences if one > 0), sum(1 for one in differences if one < 0)
    effect = (gained - lost) / n
    if n < LEAST_PAIRS:
        return Verdict(n, effect)
    p = float(stats.binomtest(gained, gained + lost, 0.5).pvalue) if gained + lost else 1.0
    # Agresti and Min: half a pair is added to each of the four cells, so that few changes do not look certain.
    m = n + 2
    b, c = (gained + 0.5) / m, (lost + 0.5) / m
    reach = 1.959964 * math.sqrt(max(b + c - (b - c) ** 2, 0.0) / m)
    return Verdict(n, effect, max(-1.0, b - c - reach), min(1.0, b - c + reach), MCNEMAR, p)


def corrected(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """In their order, with p adjusted for how many are looked at (Holm's step-down method)."""
    tested = sorted((one.p, place) for place, one in enumerate(verdicts) if one.p is not None)
    found, highest = list(verdicts), 0.0
    for rank, (p, place) in enumerate(tested):
        highest = max(highest, min(1.0, p * (len(tested) - rank)))
        found[place] = replace(verdicts[place], adjusted=highest)
    return found
