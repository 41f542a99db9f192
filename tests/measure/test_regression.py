"""Accepted values: elements are measured again, and nothing may be worse; nor the baseline."""

from dataclasses import replace
from pathlib import Path

import pytest

from bitweight.measure import Search, Store, best, complaints, subject, weak_baseline
from bitweight.measure.regression import dumps, from_records, load
from bitweight.measure.subjects import plain_ways
from bitweight.synth import find_technology

REPORTS = Path(__file__).parents[2] / "reports"
ACCEPTED = {(one.key, one.technology): one for one in load(REPORTS / "accepted.json")}
SUBSET = ("pe/systolic-os-mac", "pe/systolic-os-opt1", "pe/bitslice-opt4c", "pe/bitslice-opt4e")
TECHNOLOGY = "generic"


@pytest.mark.parametrize("key", SUBSET)
def test_elements_are_no_worse_than_accepted(key, tmp_path):
    accepted = ACCEPTED[key, TECHNOLOGY]
    result = accepted.measure(Store(tmp_path), find_technology(TECHNOLOGY))
    assert not complaints(accepted, result.area, result.min_period_ns)


def test_worse_area_or_period_is_told():
    accepted = ACCEPTED["pe/systolic-os-opt1", TECHNOLOGY]
    area, period = accepted.area, accepted.min_period_ns
    assert accepted.tolerance == 0.02
    assert not complaints(accepted, 1.019 * area, 1.019 * period)
    assert "area" in complaints(accepted, 1.021 * area, period)[0]
    assert "minimum period" in complaints(accepted, area, 1.021 * period)[0]
    assert len(complaints(accepted, 2 * area, 2 * period)) == 2
    assert not complaints(accepted, area / 2, period / 2)


def test_a_deliberately_bad_baseline_is_caught(tmp_path):
    accepted = ACCEPTED["pe/systolic-os-mac", TECHNOLOGY]
    plain = subject("pe/systolic-os-mac").design
    bad = plain_ways(plain, operators=[("default", "brent-kung")])[:1]
    assert [way.label for way in bad] == ["operator/default/brent-kung"]
    point = best(Search(Store(tmp_path), find_technology(TECHNOLOGY), bad)())
    told = weak_baseline(accepted, point.result.area, point.result.min_period_ns)
    assert len(told) == 1 and "not the best" in told[0]
    assert not weak_baseline(accepted, accepted.area, accepted.min_period_ns)


def test_accepted_values_survive_a_round_trip(tmp_path):
    path = tmp_path / "accepted.json"
    path.write_text(dumps(ACCEPTED.values()))
    assert load(path) == list(ACCEPTED.values())
    path.write_text("{}")
    with pytest.raises(ValueError, match=r"accepted\.json must hold accepted values"):
        load(path)


def test_accepted_values_are_the_best_points_of_elements():
    point = {"design": {}, "options": {}, "target_ns": 1.0, "area": 2.0, "min_period_ns": 3.0}
    record = {
        "technology": "t",
        "subjects": [
            {"key": "pe/x", "pe": True, "best": point},
            {"key": "array/x", "pe": False, "best": point},
        ],
    }
    found = from_records([record])
    assert [one.key for one in found] == ["pe/x"]
    assert found[0].efficiency == pytest.approx(1 / 6)
    assert not complaints(replace(found[0], tolerance=0.5), 2.9, 4.4)
