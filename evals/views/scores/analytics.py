"""One or two scores looked at closely: numbers, charts drawn as SVG, and the same as tables."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.roles import Role
from config.errors import SpanwiseError, TooExpensive, Unavailable
from config.rendering import render_page
from evals.queries.score_analytics import MOST, Analysis, Choice, Point, ScoreKey, analyse, list_choices
from evals.queries.scores import KINDS
from evals.statistics.agreement import LabelsCompared
from evals.views.scores.listing import kind_names, source_names, type_names
from tracing.forms import period_from
from tracing.views.ranges import range_labels

WIDTH, HEIGHT = 600, 180
#: strengths of colour that a cell may have
SHADES = 9


@dataclass(frozen=True, slots=True)
class Bar:
    # Text, because templates write numbers in the reader's language, and SVG wants a point.
    x: str
    y: str
    width: str
    height: str
    words: str
    side: int


@dataclass(frozen=True, slots=True)
class Line:
    """A side's way through time: pieces where there are values, and the values as dots."""

    side: int
    paths: list[str]
    dots: list[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class Cell:
    count: int
    share: float
    shade: int
    is_same: bool

    @property
    def percent(self) -> str:
        return f"{self.share:.1%}"


@dataclass(frozen=True, slots=True)
class Measure:
    """A number, and how good it is in a word."""

    label: str
    value: float | None
    word: str = ""
    is_share: bool = False

    @property
    def shown(self) -> str:
        if self.value is None:
            return "—"
        return f"{self.value:.1%}" if self.is_share else f"{self.value:.3f}"


class Charts:
    """An analysis as the page draws it."""

    def __init__(self, analysis: Analysis) -> None:
        self.analysis = analysis

    @property
    def names(self) -> list[str]:
        """Of the sides; where both are called the same, with who gave them."""
        keys, sources = [side.key for side in self.analysis.sides], source_names()
        if len({key.name for key in keys}) == len(keys):
            return [key.name for key in keys]
        return [f"{key.name} · {sources.get(key.source, key.source)}" for key in keys]

    @cached_property
    def bars(self) -> list[Bar]:
        bins, sides = self.analysis.bins, len(self.analysis.sides)
        most = max((count for one in bins for count in one.counts), default=0)
        if not most:
            return []
        slot = WIDTH / len(bins)
        width = slot * 0.84 / sides
        return [
            Bar(
                _short(place * slot + slot * 0.08 + side * width),
                _short(HEIGHT - max(count / most * (HEIGHT - 4), 1.5)),
                _short(width * 0.94),
                _short(max(count / most * (HEIGHT - 4), 1.5)),
                f"{one.name}: {count:,}",
                side,
            )
            for place, one in enumerate(bins)
            for side, count in enumerate(one.counts)
            if count
        ]

    @cached_property
    def lines(self) -> list[Line]:
        """Means where there are any, else how many."""
        points = self.analysis.points
        values = [_drawn(points, place) for place in range(len(self.analysis.sides))]
        return [_line(place, one, points, *self.bounds) for place, one in enumerate(values)]

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """Of the trend's upright axis."""
        points = self.analysis.points
        values = [value for place in range(len(self.analysis.sides)) for value in _drawn(points, place)]
        known = [value for value in values if value is not None]
        low, high = min(known, default=0.0), max(known, default=1.0)
        room = max(0.5, abs(low) * 1e-9)  # half a step is nothing beside a large number
        return (low - room, high + room) if low == high else (low, high)

    @property
    def is_counted(self) -> bool:
        """Categories have no mean: the trend is how many there were."""
        return all(mean is None for point in self.analysis.points for mean in point.means)

    @cached_property
    def cells(self) -> list[list[Cell]]:
        """Of the heatmap or the confusion matrix."""
        pairs = self.analysis.pairs
        if pairs is None:
            return []
        table = pairs.heat or (pairs.labels.matrix if pairs.labels else ())
        most = max((count for row in table for count in row), default=0)
        labels = len(pairs.labels.labels) if pairs.labels else 0
        return [
            [
                Cell(count, count / pairs.count, _shade(count, most), place == at < labels)
                for at, count in enumerate(row)
            ]
            for place, row in enumerate(table)
        ]

    @property
    def rows(self) -> list[tuple[str, list[Cell]]]:
        pairs = self.analysis.pairs
        if pairs is None:
            return []
        names = [one.name for one in pairs.rows] or _label_names(pairs.labels)
        return list(zip(names, self.cells, strict=True))[:: -1 if pairs.heat else 1]

    @property
    def heads(self) -> list[str]:
        pairs = self.analysis.pairs
        if pairs is None:
            return []
        return [one.name for one in pairs.columns] or _label_names(pairs.labels)

    @cached_property
    def measures(self) -> list[Measure]:
        pairs = self.analysis.pairs
        if pairs is None:
            return []
        if pairs.numbers:
            numbers = pairs.numbers
            return [
                Measure(_("Pearson’s r"), numbers.pearson, correlation_word(numbers.pearson)),
                Measure(_("Spearman’s ρ"), numbers.spearman, correlation_word(numbers.spearman)),
                Measure(_("Mean absolute error"), numbers.mae),
                Measure(_("Root mean square error"), numbers.rmse),
            ]
        labels = pairs.labels
        if labels is None:
            return []
        return [
            Measure(_("Agreement"), labels.agreement, is_share=True),
            Measure(_("Cohen’s κ"), labels.kappa, kappa_word(labels.kappa)),
            Measure(_("F1, macro"), labels.f1_macro),
            Measure(_("F1, weighted"), labels.f1_weighted),
        ]


def _label_names(labels: LabelsCompared | None) -> list[str]:
    """Of the rows and columns of the matrix."""
    if labels is None:
        return []
    others = ngettext("%(n)s other", "%(n)s others", labels.others) % {"n": f"{labels.others:,}"}
    return [*labels.labels, *([others] if labels.others else [])]


def correlation_word(value: float | None) -> str:
    if value is None:
        return _("not defined: one side never varies")
    size = abs(value)
    words = ((0.9, _("very strong")), (0.7, _("strong")), (0.5, _("moderate")), (0.3, _("weak")))
    return next((word for least, word in words if size >= least), _("hardly any"))


def kappa_word(value: float | None) -> str:
    """In the words of Landis and Koch (1977)."""
    if value is None:
        return _("not defined: both sides know one value only")
    words = (
        (0.81, _("almost perfect")),
        (0.61, _("substantial")),
        (0.41, _("moderate")),
        (0.21, _("fair")),
        (0.0, _("slight")),
    )
    return next((word for least, word in words if value >= least), _("less than by chance"))


def _drawn(points: list[Point], place: int) -> list[float | None]:
    has_means = any(point.means[place] is not None for point in points)
    return [point.means[place] if has_means else float(point.counts[place]) for point in points]


def _line(side: int, values: list[float | None], points: list[Point], low: float, high: float) -> Line:
    step = WIDTH / max(len(points) - 1, 1)
    pieces: list[list[str]] = [[]]
    dots = []
    for place, value in enumerate(values):
        if value is None:
            pieces.append([])
            continue
        x = _short(place * step if len(points) > 1 else WIDTH / 2)
        y = _short(HEIGHT - 8 - (value - low) / (high - low) * (HEIGHT - 16))
        pieces[-1].append(f"{x},{y}")
        dots.append((x, y, f"{value:.4g}"))
    return Line(side, [" ".join(piece) for piece in pieces if len(piece) > 1], dots if len(dots) <= 120 else [])


def _shade(count: int, most: int) -> int:
    return max(1, round(count / most * SHADES)) if count else 0


def _short(number: float) -> str:
    return f"{number:.2f}"


@require_safe
@project_page(Role.VIEWER)
def score_analytics(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """`score1`, `score2`, `object` (kind of what they are about) and the time range. Nonsense is dropped."""
    period = period_from(request.GET)
    kind = request.GET.get("object", "") if request.GET.get("object", "") in KINDS else ""
    keys = [key for name in ("score1", "score2") if (key := ScoreKey.parse(request.GET.get(name, "")[:2000]))]
    problem: SpanwiseError | None = None
    choices: list[Choice] = []
    analysis: Analysis | None = None
    misfit = len(keys) == 2 and not keys[0].fits(keys[1])
    try:
        choices = list_choices(scope, period, kind)
        if keys:
            analysis = analyse(scope, keys[:1] if misfit else keys, period=period, kind=kind)
    except (TooExpensive, Unavailable) as error:
        problem = error
    first = keys[0] if keys else None
    context = {
        "scope": scope,
        "period": period,
        "ranges": range_labels(),
        "kind": kind,
        "kinds": kind_names().items(),
        "firsts": _options(choices, first),
        "seconds": _options([one for one in choices if first and one.key.fits(first)], _second(keys)),
        "charts": Charts(analysis) if analysis and any(side.values for side in analysis.sides) else None,
        "analysis": analysis,
        "misfit": misfit,
        "has_choices": bool(choices),
        "problem": problem,
        "most": MOST,
    }
    return render_page(request, "evals/score_analytics.html", context)


def _second(keys: list[ScoreKey]) -> ScoreKey | None:
    return keys[1] if len(keys) == 2 else None


def _options(choices: list[Choice], chosen: ScoreKey | None) -> list[tuple[str, str, bool]]:
    """Value, words, and whether it is the one; one that is chosen is there also when the time range has none of it."""
    sources, types = source_names(), type_names()

    def words(key: ScoreKey, count: int) -> str:
        return f"{key.name} · {types.get(key.data_type, '')} · {sources.get(key.source, key.source)} ({count:,})"

    found = [(str(one.key), words(one.key, one.count), one.key == chosen) for one in choices]
    if chosen is not None and not any(is_chosen for _value, _words, is_chosen in found):
        found.insert(0, (str(chosen), words(chosen, 0), True))
    return found
