"""The search for the best point, on results that are made up."""

from dataclasses import dataclass

import pytest

from bitweight.measure import PES, Point, Search, best, best_at, fastest, subject
from bitweight.measure.subjects import ARRAYS, Way, plain_ways
from bitweight.pe import STYLES
from bitweight.synth import YosysOptions


@dataclass
class Result:
    area: float
    min_period_ns: float
    target_ns: float = 1.0

    @property
    def efficiency(self):
        return 1 / (self.area * self.min_period_ns)


class Imagined:
    """A store in whose world one way and recipe beats all others, and targets cost nothing."""

    def __init__(self, champion, recipe):
        self.champion, self.recipe, self.runs = champion, recipe, []

    def element(self, design):
        return design

    def synthesis(self, design, technology, target_ns, options, *, top):
        self.runs.append((design.style, options, target_ns))
        assert top == f"{design.top}_pe"
        period = max(2.0, target_ns)
        area = 100.0
        if (design.style, options.arithmetic) == self.champion:
            area -= 10
            if options.recipe == self.recipe:
                area -= 10
        return Result(area, period, target_ns)


def points(*pairs):
    way = plain_ways(subject("pe/systolic-os-mac").design)[0]
    return [Point(way, way.options, Result(*pair)) for pair in pairs]


@pytest.mark.parametrize("style", ["operator", "fused-sklansky", "fused-brent-kung"])
@pytest.mark.parametrize("recipe", ["balanced", "small", "plain"])
def test_the_best_way_and_recipe_are_found(style, recipe):
    arithmetic = "arith_tree" if style == "operator" else YosysOptions().arithmetic
    world = Imagined((style, arithmetic), recipe)
    ways = subject("pe/systolic-os-mac").ways()
    ticks = []
    search = Search(world, None, ways, ticks.append)
    found = best(search())
    assert (found.way.design.style, found.options.arithmetic) == (style, arithmetic)
    assert found.options.recipe == recipe
    assert len(world.runs) == len(ticks) == len(search.points) == Search.runs(len(ways))


def test_best_and_fastest_and_at_a_clock():
    made = points((100, 1.0), (60, 1.5), (50, 2.0), (80, 1.5))
    assert best(made).result.area == 60
    assert fastest(made).result.area == 100
    assert best_at(made, 1.6).result.area == 60
    assert best_at(made, 9.0).result.area == 50
    assert best_at(made, 0.5).result.area == 100


def test_a_baseline_is_tried_in_every_style_and_arithmetic():
    labels = [way.label for way in subject("pe/systolic-os-mac").ways()]
    assert set(STYLES) - {"operator"} <= set(labels)
    for arithmetic in ("default", "booth", "arith_tree"):
        assert any(label.startswith(f"operator/{arithmetic}/") for label in labels)
    with pytest.raises(ValueError, match="ways must hold at least one"):
        Search(None, None, [])


def test_subjects_lead_to_baselines_and_elements():
    keys = [one.key for one in (*PES, *ARRAYS)]
    assert len(set(keys)) == len(keys)
    for one in (*PES, *ARRAYS):
        base = subject(one.baseline)
        assert base.baseline == base.key and base.pe == one.pe
        if not one.pe:
            assert subject(one.made_as).design.mac == one.design.mac
    with pytest.raises(ValueError, match="subject must be one of"):
        subject("pe/none")


def test_ways_of_digits_are_encodings():
    ways = subject("pe/bitslice-opt4c").ways()
    assert [way.label for way in ways] == ["csd4", "mbe"]
    assert all(isinstance(way, Way) and way.design.encoding == way.label for way in ways)
