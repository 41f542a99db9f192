"""The goals of the circuits: what is to be reached in a technology, and what a record has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bitweight.measure import claims
from bitweight.measure.record import rates
from bitweight.measure.tables import (
    Table,
    at_clock,
    energy_of,
    energy_ratio,
    family,
    ratio,
    subjects,
)

__all__ = ["Goal", "array_goals", "element_goals", "goal_table"]

Record = Mapping[str, Any]

AUTHORS = {
    "sky130hd": {"opt1": 64.3, "opt3": 149.0},
    "asap7": {"opt1": 23_900.0, "opt3": 62_300.0},
}
"""The authors' own RTL: GMAC/s/mm² of their OPT1 element, and of OPT3 with its encoder per digit.

Measured once with Yosys 0.70 and OpenSTA: operand registers inside, 8 bits, 32-bit accumulator.
"""

OVER_AUTHORS = {"opt1": 1.5, "opt3": 1.3}
"""How much better elements are to be."""

SPREAD = 0.05
"""How much the shortest period of OPT1 may depend on the width of the accumulator."""


@dataclass(frozen=True)
class Goal:
    """A goal and what was measured: at least that value, or at most.

    Attributes
    ----------
    text
        What is measured.
    wanted, found
        Values; nothing was found where a part of the record is missing.
    most
        The goal is an upper bound.
    """

    text: str
    wanted: float
    found: float | None
    most: bool = False

    @property
    def bound(self) -> str:
        """The goal, as text."""
        return f"{'≤' if self.most else '≥'} {self.wanted:.4g}"

    @property
    def measured(self) -> str:
        """What was found, as text."""
        return "not measured" if self.found is None else f"{self.found:.4g}"

    @property
    def met(self) -> bool:
        """Whether it was measured and is reached."""
        if self.found is None:
            return False
        return self.found <= self.wanted if self.most else self.found >= self.wanted


def element_goals(record: Record) -> Iterator[Goal]:
    """Yield the goals of processing elements for the record of a technology."""
    by_name = {one["name"]: one for one in subjects(record, pe=True)}
    plain, opt1 = by_name["systolic-os-mac"], by_name["systolic-os-opt1"]
    authors = AUTHORS.get(record["technology"])
    if authors:
        wanted = OVER_AUTHORS["opt1"] * authors["opt1"]
        yield Goal("opt1, GMAC/s/mm²", wanted, _per_area(record, opt1, opt1["macs_per_cycle"]))
    clocked, base = at_clock(opt1), energy_of(plain)
    both = clocked is not None and base is not None
    found = clocked / base if both else None  # type: ignore[operator]
    yield Goal("opt1, energy over the plain MAC's at its clock", 1.0, found, most=True)
    for name in ("bitslice-opt3", "bitslice-opt4c", "bitslice-opt4e"):
        one = by_name[name]
        if authors:
            wanted = OVER_AUTHORS["opt3"] * authors["opt3"]
            digits = _per_area(record, one, one["digits_per_cycle"])
            yield Goal(f"{name}, digits/s/mm² in 10⁹", wanted, digits)
    for name, share in (("bitslice-opt4c", 1.0), ("bitslice-opt4e", 0.75)):
        one = by_name[name]
        slow = one["at_baseline"]
        reached = slow["min_period_ns"] <= slow["clock_ns"]
        area = slow["area"] / one["lanes"] / plain["best"]["area"] if reached else None
        text = f"{name}, area of a lane over the plain MAC's at its clock"
        yield Goal(text, share * claims.OPT4C_AREA, area, most=True)
    widths = [o["min_period_ns"] for o in record["accumulator"] if o["name"] == opt1["name"]]
    spread = max(widths) / min(widths) - 1 if widths else None
    yield Goal("opt1, spread of the period over accumulators of 16 to 48 bits", SPREAD, spread,
               most=True)  # fmt: skip


def array_goals(record: Record) -> Iterator[Goal]:
    """Yield the goals of whole arrays: the paper's gains, each by the best transformation."""
    kinds = [
        ("array", name, area, claims.ARRAY_ENERGY[name]) for name, area in claims.ARRAY_AREA.items()
    ]
    kinds.append(("bitslice", "bitslice", claims.BITSLICE_AREA, claims.BITSLICE_ENERGY))
    for table, name, area, energy in kinds:
        rivals = [
            one
            for one in subjects(record, table=table)
            if family(one) == name and one["key"] != one["baseline"]
        ]
        gains = [ratio(record, one) for one in rivals]
        yield Goal(f"{name}, area efficiency", area, max(gains, default=None))
        found = (energy_ratio(record, one) for one in rivals)
        energies = [gain for gain in found if gain is not None]
        yield Goal(f"{name}, energy efficiency", energy, max(energies, default=None))


def goal_table(title: str, goals: Mapping[str, list[Goal]], command: str) -> Table:
    """Return a table of goals by technology."""
    rows = [
        (
            technology,
            goal.text,
            goal.bound,
            goal.measured,
            "yes" if goal.met else "no",
        )
        for technology, those in goals.items()
        for goal in those
    ]
    return Table(title, ("technology", "what", "goal", "measured", "met"), tuple(rows), command)


def _per_area(record: Record, one: Record, per_cycle: float) -> float:
    """Return 10⁹ products or digits per second and mm²."""
    found = rates(one["best"], per_cycle, record["area_unit"])["efficiency"]
    return float(found) / 2 * 1000
