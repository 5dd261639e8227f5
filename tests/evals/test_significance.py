"""Tests of significance agree with SciPy and with published numbers, and know what they cannot tell."""

from __future__ import annotations

import random
from statistics import fmean

import pytest
from scipy import stats

from evals.statistics.significance import LEAST_PAIRS, Verdict, corrected, judge

#: Sleep gained with two drugs (Student, 1908): the textbook pair, t = -4.0621, p = 0.002833.
SLEEP_ONE = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SLEEP_TWO = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]


def test_few_numbers_are_judged_by_wilcoxon():
    found = judge(SLEEP_ONE, SLEEP_TWO, is_boolean=False)
    expected = stats.wilcoxon(SLEEP_TWO, SLEEP_ONE, zero_method="pratt")
    assert (found.test, found.pairs) == ("wilcoxon", 10)
    assert found.p == pytest.approx(expected.pvalue)
    # Student's own interval for the mean difference.
    assert (found.effect, found.low, found.high) == pytest.approx((1.58, 0.7001, 2.4599), abs=1e-4)


def test_many_numbers_are_judged_by_a_paired_t_test():
    chance = random.Random(3)
    before = [chance.gauss(0.6, 0.2) for _ in range(200)]
    after = [value + chance.gauss(0.03, 0.1) for value in before]
    found = judge(before, after, is_boolean=False)
    expected = stats.ttest_rel(after, before)
    interval = expected.confidence_interval(0.95)
    assert found.test == "t-test"
    assert found.p == pytest.approx(expected.pvalue)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


def test_student_by_t_when_there_are_enough():
    found = judge(SLEEP_ONE * 3, SLEEP_TWO * 3, is_boolean=False)
    assert found.test == "t-test"
    assert found.p == pytest.approx(stats.ttest_rel(SLEEP_TWO * 3, SLEEP_ONE * 3).pvalue)


def test_truth_is_judged_by_the_pairs_that_changed():
    # 59 changed one way and 6 the other.
    before = [1.0] * 101 + [1.0] * 59 + [0.0] * 6 + [0.0] * 121
    after = [1.0] * 101 + [0.0] * 59 + [1.0] * 6 + [0.0] * 121
    found = judge(before, after, is_boolean=True)
    assert found.test == "mcnemar"
    assert found.p == pytest.approx(stats.binomtest(6, 65, 0.5).pvalue)
    assert found.effect == pytest.approx(-53 / 287)
    assert found.low < found.effect < found.high < 0


def test_repeated_truth_is_a_share_and_taken_as_a_number():
    found = judge([0.5, 1, 1, 0, 1, 1, 0.5], [0, 0, 0.5, 0, 0, 0, 0], is_boolean=True)
    assert found.test == "wilcoxon"


def test_nothing_changed():
    for is_boolean in (True, False):
        found = judge([1.0] * 40, [1.0] * 40, is_boolean=is_boolean)
        assert (found.effect, found.p) == (0.0, 1.0)
        assert not corrected([found])[0].is_significant


@pytest.mark.parametrize("count", [LEAST_PAIRS, 20, 40])
def test_noise_of_floats_is_no_change(count):
    repeated = fmean([0.7] * 3)
    assert repeated != 0.7
    found = judge([0.7] * count, [repeated] * count, is_boolean=False)
    assert (found.effect, found.p) == (0.0, 1.0)
    # Nor does it weigh beside what really changed.
    mixed = judge([0.7] * count + [0.0] * 2, [repeated] * count + [1.0, -1.0], is_boolean=False)
    assert mixed.p == pytest.approx(1.0)


def test_all_changed_by_the_same():
    found = judge([float(n) for n in range(40)], [n + 1.0 for n in range(40)], is_boolean=False)
    assert (found.effect, found.low, found.high) == (1.0, 1.0, 1.0)
    assert found.p < 1e-6


@pytest.mark.parametrize("count", range(LEAST_PAIRS))
def test_too_few_pairs_say_nothing(count):
    found = judge([0.0] * count, [1.0] * count, is_boolean=False)
    assert found.has_too_few
    assert (found.pairs, found.p, found.is_significant) == (count, None, False)


def test_the_least_that_can_tell():
    found = judge([0.0] * LEAST_PAIRS, [1.0, 2, 3, 4, 5, 6], is_boolean=False)
    assert corrected([found])[0].is_significant


def test_p_is_corrected_for_how_many_are_looked_at():
    raw = [0.01, 0.04, 0.03, 0.005, None]
    verdicts = [Verdict(50, 1.0, test="t-test" if p else "", p=p) for p in raw]
    # Holm's own example, as R's p.adjust has it.
    assert [one.adjusted for one in corrected(verdicts)] == pytest.approx([0.03, 0.06, 0.06, 0.02, None])
    assert [one.is_significant for one in corrected(verdicts)] == [True, False, False, True, False]


def test_pairs_have_two_sides():
    with pytest.raises(ValueError, match=r"shorter|longer"):
        judge([1.0], [1.0, 2.0], is_boolean=False)
