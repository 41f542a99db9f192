"""Accepted values: what was measured once and must not get worse.

``reports/accepted.json`` holds, for every processing element in every technology, the area and the
period of its best point and how it was made. A netlist that is larger or slower by more than the
tolerance is a regression. So is a baseline that is less area-efficient than the accepted one: a
gain over a weak baseline is none.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bitweight.design import Design
from bitweight.measure.record import SCHEMA
from bitweight.measure.store import Store
from bitweight.measure.subjects import subject
from bitweight.synth import SynthesisResult, Technology, YosysOptions

__all__ = [
    "TOLERANCE",
    "Accepted",
    "compare",
    "complaints",
    "dumps",
    "from_records",
    "load",
    "weak_baseline",
]

TOLERANCE = 0.02
"""By how much, as a part, area and period may be worse."""


@dataclass(frozen=True)
class Accepted:
    """An accepted point of a processing element.

    Attributes
    ----------
    key, technology
        What it is, and where.
    design, options, target_ns
        How it is made again.
    area, min_period_ns
        The accepted values.
    tolerance
        By how much they may be worse, as a part.
    """

    key: str
    technology: str
    design: Mapping[str, Any]
    options: Mapping[str, Any]
    target_ns: float
    area: float
    min_period_ns: float
    tolerance: float = TOLERANCE

    @property
    def efficiency(self) -> float:
        """1 / (area · minimum period)."""
        return 1.0 / (self.area * self.min_period_ns)

    def measure(self, store: Store, technology: Technology) -> SynthesisResult:
        """Make the same point again."""
        small = store.element(Design.from_dict(self.design))
        options = YosysOptions.from_json(self.options)
        return store.synthesis(small, technology, self.target_ns, options, top=f"{small.top}_pe")


def complaints(accepted: Accepted, area: float, min_period_ns: float) -> list[str]:
    """Return what is worse than accepted, in words; nothing where all is well."""
    limit = 1 + accepted.tolerance
    return [
        f"{accepted.key} on {accepted.technology}: {name} {value:.6g} is "
        f"{value / old - 1:.1%} above the accepted {old:.6g}"
        for name, value, old in (
            ("area", area, accepted.area),
            ("minimum period", min_period_ns, accepted.min_period_ns),
        )
        if value > limit * old
    ]


def weak_baseline(accepted: Accepted, area: float, min_period_ns: float) -> list[str]:
    """Return that a baseline is less area-efficient than accepted, in words, if it is.

    However it is made: a baseline's best point may move along its curve, but not get worse.
    """
    product = area * min_period_ns * accepted.efficiency
    if product <= 1 + accepted.tolerance:
        return []
    return [
        f"{accepted.key} on {accepted.technology}: a baseline that takes {product - 1:.1%} more "
        "area times period than the accepted one is not the best; gains over it do not count"
    ]


def compare(accepted: Iterable[Accepted], measured: Iterable[Accepted]) -> list[str]:
    """Return what is worse than accepted, of what was measured again, in words.

    A best point that was found at another target, or made in another way, may be larger and faster
    or smaller and slower than the accepted one; what counts then is area times period.
    """
    known = {(one.key, one.technology): one for one in measured}
    found = []
    for old in accepted:
        new = known.get((old.key, old.technology))
        if new is None:
            continue
        if subject(old.key).baseline == old.key:
            found += weak_baseline(old, new.area, new.min_period_ns)
        elif (new.design, new.options, new.target_ns) == (old.design, old.options, old.target_ns):
            found += complaints(old, new.area, new.min_period_ns)
        elif new.efficiency * (1 + old.tolerance) < old.efficiency:
            found.append(
                f"{old.key} on {old.technology}: area times period is "
                f"{old.efficiency / new.efficiency - 1:.1%} above the accepted"
            )
    return found


def from_records(records: Iterable[Mapping[str, Any]]) -> list[Accepted]:
    """Return the best points of all processing elements of records."""
    return [
        Accepted(
            one["key"],
            record["technology"],
            one["best"]["design"],
            one["best"]["options"],
            one["best"]["target_ns"],
            one["best"]["area"],
            one["best"]["min_period_ns"],
        )
        for record in records
        for one in record["subjects"]
        if one["pe"]
    ]


def dumps(accepted: Iterable[Accepted]) -> str:
    """Return accepted values as the text of a JSON file."""
    return (
        json.dumps({"schema": SCHEMA, "accepted": [asdict(one) for one in accepted]}, indent=1)
        + "\n"
    )


def load(path: Path) -> list[Accepted]:
    """Return the accepted values of a file.

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If it is something else.
    """
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        if table["schema"] != SCHEMA:
            raise ValueError(f"schema must be {SCHEMA}, not {table['schema']!r}")
        return [Accepted(**one) for one in table["accepted"]]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} must hold accepted values: {error}") from None
