"""Goals against an imagined record: what is met, what is not, and what was not measured."""

import json

import pytest
from imagined import ImaginedStore

from bitweight.measure import Campaign, claims
from bitweight.measure.goals import AUTHORS, array_goals, element_goals, goal_table


@pytest.fixture(scope="module")
def record():
    return json.loads(json.dumps(Campaign("generic", ImaginedStore(), jobs=2).run()))


def by_text(goals):
    return {goal.text: goal for goal in goals}


def test_elements(record):
    goals = by_text(element_goals(record))
    energy = goals["opt1, energy over the plain MAC's at its clock"]
    assert energy.found == pytest.approx(2 / 4) and energy.met
    # 30 over the 90 of the best plain MAC is just more than the paper's 81 / 246.
    opt4c = goals["bitslice-opt4c, area of a lane over the plain MAC's at its clock"]
    assert opt4c.found == pytest.approx(30 / 90) and not opt4c.met
    opt4e = goals["bitslice-opt4e, area of a lane over the plain MAC's at its clock"]
    assert opt4e.found == pytest.approx(80 / 4 / 90) and opt4e.met
    spread = goals["opt1, spread of the period over accumulators of 16 to 48 bits"]
    assert spread.found == 0 and spread.met


def test_what_the_authors_have_is_compared_where_it_is_known(record):
    sky = dict(record, technology="sky130hd", area_unit="um2")
    goals = by_text(element_goals(sky))
    opt1 = goals["opt1, GMAC/s/mm²"]
    assert opt1.wanted == pytest.approx(1.5 * AUTHORS["sky130hd"]["opt1"])
    assert opt1.found == pytest.approx(1e6 / 110)  # a product per ns on 110 µm²
    opt4e = goals["bitslice-opt4e, digits/s/mm² in 10⁹"]
    assert opt4e.found == pytest.approx(4e6 / 80)
    assert not any("GMAC" in text for text in by_text(element_goals(record)))


def test_arrays(record):
    goals = by_text(array_goals(record))
    area = goals["systolic-os, area efficiency"]
    assert area.found == pytest.approx(2 * 95 / 115) and area.met
    assert goals["adder-tree, energy efficiency"].wanted == claims.ARRAY_ENERGY["adder-tree"]
    laconic = goals["bitslice, energy efficiency"]
    assert laconic.found is not None and not laconic.met


def test_what_is_not_measured_is_not_met(record):
    less = dict(record, accumulator=[], subjects=[one for one in record["subjects"] if one["pe"]])
    spread = [goal for goal in element_goals(less) if "spread" in goal.text]
    assert [goal.met for goal in spread] == [False]
    goals = list(array_goals(less))
    assert len(goals) == 10 and not any(goal.met for goal in goals)
    table = goal_table("Arrays", {"generic": goals}, "bitweight bench array")
    assert {row[3] for row in table.rows} == {"not measured"}
