"""Tables made from records: a head, rows of text, and the command that measured them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bitweight.measure import claims
from bitweight.measure.record import rates

__all__ = [
    "Table",
    "accumulator_table",
    "array_table",
    "at_clock",
    "baseline_table",
    "bitslice_table",
    "element_table",
    "energy_of",
    "energy_ratio",
    "family",
    "flat_table",
    "lanes_table",
    "operand_table",
    "ratio",
    "short_table",
    "sigma_table",
    "subjects",
]

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """A table: what it shows, its columns, its rows, the command that measured it."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    command: str
    note: str = ""


def subjects(record: Record, *, table: str = "", pe: bool | None = None) -> list[Record]:
    """Return the subjects of a record that are in a table, or all."""
    return [
        one for one in record["subjects"] if table in ("", one["table"]) and pe in (None, one["pe"])
    ]


def family(one: Record) -> str:
    """Return the name of a subject's array."""
    return str(one["best"]["design"]["array"])


def efficiency(record: Record, one: Record, *, buffers: bool = True) -> float:
    """Return throughput per area of a subject's best point, with or without its buffers."""
    point = one["best"]
    area = point["area"] - (0 if buffers else point["buffer_area"])
    return float(rates(point, one["macs_per_cycle"], record["area_unit"], area=area)["efficiency"])


def baseline_of(record: Record, one: Record) -> Record:
    """Return the subject that another is compared with."""
    return next(other for other in record["subjects"] if other["key"] == one["baseline"])


def ratio(record: Record, one: Record, *, buffers: bool = True) -> float:
    """Return a subject's area efficiency over its baseline's."""
    base = baseline_of(record, one)
    return efficiency(record, one, buffers=buffers) / efficiency(record, base, buffers=buffers)


def energy_ratio(record: Record, one: Record) -> float | None:
    """Return a baseline's energy per product over a subject's, where both were measured."""
    mine, its = energy_of(one), energy_of(baseline_of(record, one))
    return None if mine is None or its is None else its / mine


def energy_of(one: Record) -> float | None:
    """Return the energy of a product at a subject's best point, where it was measured."""
    found = one["best"].get("energy")
    return None if not found else float(found["energy_per_mac_pj"])


def _glitches(one: Record) -> str:
    """Return the part of a subject's energy that glitches take."""
    found = one["best"].get("energy")
    return f"{found['glitches'] / found['total']:.0%}" if found else "–"


def at_clock(one: Record) -> float | None:
    """Return energy per product at the clock of the plain MAC's best point."""
    slow = one["at_baseline"]
    found = slow.get("energy")
    if not found or slow["min_period_ns"] > slow["clock_ns"]:
        return None
    return float(found["energy_per_mac_pj"])


def _unit(record: Record) -> str:
    return "µm²" if record["area_unit"] == "um2" else "NAND2"


def _per(record: Record) -> str:
    return "TOPS/mm²" if record["area_unit"] == "um2" else "GOPS/kNAND2"


def _times(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}×"


def _number(value: float | None, form: str = ".3g") -> str:
    return "–" if value is None else f"{value:{form}}"


def _command(record: Record, part: str) -> str:
    parts = "" if part == "pe" else f" --part {part}"
    return f"bitweight measure --tech {record['technology']} --part pe{parts} --part energy"


def element_table(record: Record) -> Table:
    """Return processing elements that add one product or digit at a time, and Laconic's."""
    rows = []
    base = next(one for one in subjects(record, table="mac") if one["key"] == one["baseline"])
    its = base["best"]
    for one in [*subjects(record, table="mac"), *subjects(record, table="digit")]:
        point, slow = one["best"], one["at_baseline"]
        digits = one["digits_per_cycle"]
        per_digit = (
            rates(point, digits, record["area_unit"])["efficiency"] / 2 * 1000 if digits else None
        )
        rows.append(
            (
                one["name"],
                point["made_as"],
                f"{point['area']:,.1f}",
                f"{point['min_period_ns']:.3f}",
                f"{one['macs_per_cycle']:.3f}",
                f"{efficiency(record, one):.4g}",
                _times(ratio(record, one)),
                _number(per_digit, ",.0f"),
                _number(energy_of(one)),
                _glitches(one),
                _times(energy_ratio(record, one)),
                f"{one['fastest']['min_period_ns']:.3f}",
                f"{slow['area'] / its['area']:.2f}×"
                if slow["min_period_ns"] <= slow["clock_ns"]
                else "not reached",
                _number(at_clock(one)),
            )
        )
    head = (
        "element", "made as", f"area {_unit(record)}", "period ns", "MACs/cycle", _per(record),
        "area efficiency", "GMAC-digit/s/mm²" if record["area_unit"] == "um2" else
        "MMAC-digit/s/kNAND2", "pJ/MAC", "glitches", "energy efficiency", "fastest ns",
        "area at the MAC's clock", "pJ/MAC at it",
    )  # fmt: skip
    paper = claims.MAC_PERIODS
    note = (
        f"Paper: the critical path of a MAC falls from {paper[0]} to {paper[1]} ns with OPT1 "
        f"({paper[0] / paper[1]:.2f}×), an OPT4C element takes {claims.OPT4C_AREA:.2f} of a MAC's "
        "area. Elements that take digits one at a time have the useful MACs per cycle of their "
        f"16 × 16 array, Laconic's of its 8 × 8 array: {record['throughput']}. The last two "
        "columns are at the clock at which the plain MAC is most area-efficient: the area over the "
        "plain MAC's, and the energy."
    )
    return Table("Processing elements", head, tuple(rows), _command(record, "pe"), note)


def lanes_table(record: Record) -> Table:
    """Return processing elements with several lanes along k."""
    rows = []
    for one in subjects(record, table="cube"):
        point, slow = one["best"], one["at_baseline"]
        rows.append(
            (
                one["name"],
                point["made_as"],
                f"{one['lanes']:g}",
                f"{point['area']:,.1f}",
                f"{point['min_period_ns']:.3f}",
                f"{efficiency(record, one):.4g}",
                _times(ratio(record, one)),
                _number(energy_of(one)),
                _glitches(one),
                _times(energy_ratio(record, one)),
                f"{one['fastest']['min_period_ns']:.3f}",
                f"{slow['area'] / baseline_of(record, one)['best']['area']:.2f}×"
                if slow["min_period_ns"] <= slow["clock_ns"]
                else "not reached",
                _number(at_clock(one)),
            )
        )
    head = (
        "element of", "made as", "lanes", f"area {_unit(record)}", "period ns", _per(record),
        "area efficiency", "pJ/MAC", "glitches", "energy efficiency", "fastest ns",
        "area at the MAC's clock", "pJ/MAC at it",
    )  # fmt: skip
    return Table("Elements with lanes along k", head, tuple(rows), _command(record, "pe"))


def array_table(record: Record) -> Table:
    """Return whole arrays beside the paper's gains."""
    rows = []
    for one in subjects(record, table="array"):
        point = one["best"]
        base = one["key"] == one["baseline"]
        name = family(one)
        rows.append(
            (
                one["name"],
                point["made_as"],
                f"{point['area']:,.0f}",
                f"{point['buffer_area'] / point['area']:.0%}",
                f"{point['min_period_ns']:.3f}",
                f"{one['macs_per_cycle']:.1f}",
                f"{efficiency(record, one):.4g}",
                _times(ratio(record, one)),
                _times(ratio(record, one, buffers=False)),
                "" if base else _times(claims.ARRAY_AREA[name]),
                _number(energy_of(one)),
                _glitches(one),
                _times(energy_ratio(record, one)),
                "" if base else _times(claims.ARRAY_ENERGY[name]),
            )
        )
    head = (
        "array", "made as", f"area {_unit(record)}", "buffers", "period ns", "MACs/cycle",
        _per(record), "area efficiency", "without buffers", "paper", "pJ/MAC", "glitches",
        "energy efficiency", "paper ",
    )  # fmt: skip
    note = (
        "With skew, broadcast, drain and final adders; synthesised by module, timed as a whole. "
        "Buffers are memories made of flip-flops, where a chip would have SRAM; ratios are given "
        "with and without them. MACs per cycle are useful ones, fill and drain included: "
        f"{record['throughput']}. The paper gives one gain for each array."
    )
    return Table("Arrays", head, tuple(rows), _command(record, "array"), note)


def bitslice_table(record: Record) -> Table:
    """Return the bit-slice arrays against Laconic."""
    rows = []
    for one in subjects(record, table="bitslice"):
        point = one["best"]
        base = one["key"] == one["baseline"]
        rows.append(
            (
                one["name"],
                point["made_as"],
                f"{point['area']:,.0f}",
                f"{point['buffer_area'] / point['area']:.0%}",
                f"{point['min_period_ns']:.3f}",
                f"{one['cycles']:,}",
                f"{one['macs_per_cycle']:.1f}",
                f"{efficiency(record, one):.4g}",
                _times(ratio(record, one)),
                _times(ratio(record, one, buffers=False)),
                "" if base else _times(claims.BITSLICE_AREA),
                _number(energy_of(one)),
                _glitches(one),
                _times(energy_ratio(record, one)),
                "" if base else _times(claims.BITSLICE_ENERGY),
            )
        )
    head = (
        "array", "made as", f"area {_unit(record)}", "buffers", "period ns", "cycles",
        "MACs/cycle", _per(record), "area efficiency", "without buffers", "paper", "pJ/MAC",
        "glitches", "energy efficiency", "paper ",
    )  # fmt: skip
    note = (
        f"Cycles are exact: {record['throughput']}. Bit-slice arrays of 16 × 16 hold B in banks "
        "and A in buffers of their own, made of flip-flops here; Laconic of 8 × 8 elements with "
        "16 lanes is fed in every cycle and holds neither."
    )
    return Table("Bit-slice arrays", head, tuple(rows), _command(record, "array"), note)


def accumulator_table(record: Record) -> Table:
    """Return accumulator width against the shortest period."""
    names = list(dict.fromkeys(one["name"] for one in record["accumulator"]))
    widths = list(dict.fromkeys(one["acc"] for one in record["accumulator"]))
    found = {(one["name"], one["acc"]): one for one in record["accumulator"]}
    rows = []
    for name in names:
        periods = [found[name, acc]["min_period_ns"] for acc in widths]
        texts = [f"{period:.3f}" for period in periods]
        rows.append((name, *texts, f"{max(periods) / min(periods) - 1:.1%}"))
    head = ("period ns at accumulator bits", *(str(acc) for acc in widths), "spread")
    command = f"bitweight measure --tech {record['technology']} --part accumulator"
    note = (
        "The element alone with the ABC script that makes it fastest; otherwise made as its best "
        "point is."
    )
    return Table("Accumulator width", head, tuple(rows), command, note)


def operand_table(record: Record) -> Table:
    """Return the gain of OPT1 at other widths of the operands."""
    found = {(one["name"], one["bits"]): one for one in record.get("operands", ())}
    plain, other = "systolic-os-mac", "systolic-os-opt1"
    rows = []
    for bits in dict.fromkeys(bits for _, bits in found):
        base, mine = found[plain, bits], found[other, bits]
        rows.append(
            (
                f"{bits}",
                f"{mine['acc']}",
                f"{base['area']:,.1f}",
                f"{base['min_period_ns']:.3f}",
                f"{mine['area']:,.1f}",
                f"{mine['min_period_ns']:.3f}",
                _times(_product(base) / _product(mine)),
            )
        )
    unit = _unit(record)
    head = ("operand bits", "accumulator bits", f"mac, {unit}", "mac, ns", f"opt1, {unit}",
            "opt1, ns", "area efficiency")  # fmt: skip
    command = f"bitweight measure --tech {record['technology']} --part operands"
    note = "Elements alone, as fast as the flow can make them, each made as it is best at 8 bits."
    return Table("Other widths of operands", head, tuple(rows), command, note)


def flat_table(record: Record) -> Table:
    """Return flat against hierarchical synthesis."""
    rows = []
    for one in record["flat"]:
        whole, apart = one["flat"], one["hierarchical"]
        for kind, point in (("hierarchical", apart), ("flat", whole)):
            rows.append(
                (
                    f"{one['name']} {one['rows']} × {one['cols']}",
                    kind,
                    f"{point['area']:,.0f}",
                    f"{point['min_period_ns']:.3f}",
                    f"{point['flip_flops']:,}",
                    f"{point['seconds']:.0f}",
                )
            )
        rows.append(
            (
                "flat over hierarchical",
                "",
                f"{whole['area'] / apart['area'] - 1:+.1%}",
                f"{whole['min_period_ns'] / apart['min_period_ns'] - 1:+.1%}",
                f"{whole['flip_flops'] / apart['flip_flops'] - 1:+.1%}",
                f"{whole['seconds'] / apart['seconds']:.1f}×",
            )
        )
    head = ("array", "synthesis", f"area {_unit(record)}", "period ns", "flip-flops", "seconds")
    command = f"bitweight measure --tech {record['technology']} --part flat"
    note = (
        "Everything else in this report is hierarchical: every module is synthesised once, however "
        "many instances it has, and timing is that of the whole netlist."
    )
    return Table("Flat and hierarchical", head, tuple(rows), command, note)


def sigma_table(record: Record) -> Table:
    """Return energy and cycles against the spread of the operands."""
    sigmas = list(dict.fromkeys(one["sigma"] for one in record["sigma"]))
    rows = []
    for key in dict.fromkeys(one["key"] for one in record["sigma"]):
        found = {one["sigma"]: one for one in record["sigma"] if one["key"] == key}
        name = next(one["name"] for one in record["subjects"] if one["key"] == key)
        for what, form in (("energy_per_mac_pj", ".3g"), ("cycles_per_mac", ".2f")):
            words = "pJ/MAC" if what == "energy_per_mac_pj" else "cycles of a lane per MAC"
            rows.append((name, words, *(f"{found[sigma][what]:{form}}" for sigma in sigmas)))
    head = ("element", "", *(f"σ = {sigma:g}" for sigma in sigmas))
    note = "Operands from a normal distribution, rounded. Energy is that of the elements alone."
    return Table("Energy and cycles against σ", head, tuple(rows), _command(record, "pe"), note)


def baseline_table(record: Record) -> Table:
    """Return every way that was tried for the plain MAC, the best first."""
    rows = []
    for one in subjects(record, pe=True):
        if one["key"] != one["baseline"]:
            continue
        tried: dict[str, Mapping[str, Any]] = {}
        for point in one["curve"]:
            kind = point["made_as"]
            if kind not in tried or _product(point) < _product(tried[kind]):
                tried[kind] = point
        least = min(_product(point) for point in tried.values())
        for kind, point in sorted(tried.items(), key=lambda item: _product(item[1])):
            rows.append(
                (
                    one["name"],
                    kind,
                    f"{point['area']:,.1f}",
                    f"{point['min_period_ns']:.3f}",
                    f"{least / _product(point):.2f}",
                )
            )
    head = ("plain MAC of", "made as", f"area {_unit(record)}", "period ns", "of the best")
    note = "Each at its own best target. The best of all is the baseline."
    return Table("Which plain MAC is best", head, tuple(rows), _command(record, "pe"), note)


def _product(point: Mapping[str, Any]) -> float:
    return float(point["area"] * point["min_period_ns"])


def short_table(records: Sequence[Record]) -> Table:
    """Return the few lines for a README: arrays against claims in all technologies."""
    kinds = [
        ("array", name, name, claim, claims.ARRAY_ENERGY[name])
        for name, claim in claims.ARRAY_AREA.items()
    ]
    kinds.append(
        ("bitslice", "", "bitslice / laconic", claims.BITSLICE_AREA, claims.BITSLICE_ENERGY)
    )
    rows = []
    for table, name, title, area_claim, energy_claim in kinds:
        areas, energies = [], []
        for record in records:
            gains = [
                (ratio(record, one), one["key"], one)
                for one in subjects(record, table=table)
                if name in ("", family(one)) and one["key"] != one["baseline"]
            ]
            gain, _, top = max(gains, default=(0.0, "", None))
            areas.append(f"{gain:.2f}× {top['best']['design']['mac']}" if top else "–")
            energies.append(_times(energy_ratio(record, top)) if top else "–")
        rows.append((title, *areas, _times(area_claim), *energies, _times(energy_claim)))
    names = [record["technology"] for record in records]
    head = ("array", *(f"area efficiency, {name}" for name in names), "paper",
            *(f"energy, {name}" for name in names), "paper ")  # fmt: skip
    return Table("Gains over the best baseline", head, tuple(rows), "make measure report")
