"""Pictures made from records: curves, ratios against claims, energy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bitweight.measure import claims
from bitweight.measure.tables import efficiency, energy_ratio, family, ratio, subjects

__all__ = ["PICTURES", "draw"]

Records = Sequence[Mapping[str, Any]]

#: The palette of Okabe and Ito, which is told apart whatever colours one sees.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#E69F00", "#56B4E9", "#CC79A7", "#999999", "#000000")
_MARKERS = "osD^vP*X"
_WIDTH = 4.3
"""Inches for each technology."""


def draw(name: str, records: Records, form: str) -> bytes:
    """Return a picture of :data:`PICTURES` as ``png`` or ``svg``, the same bytes for the same data.

    Raises
    ------
    ValueError
        If there is no such picture.
    """
    if name not in PICTURES:
        raise ValueError(f"picture must be one of {', '.join(PICTURES)}, not {name!r}")
    file = BytesIO()
    metadata = {"Software": None} if form == "png" else {"Date": None, "Creator": None}
    with matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "path"}):
        PICTURES[name][1](records).savefig(file, format=form, metadata=metadata)
    return file.getvalue()


def _figure(columns: int, height: float = 3.9) -> Figure:
    return Figure(figsize=(max(_WIDTH * columns, 6.0), height), dpi=120, layout="constrained")


def _style(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
    axes.grid(color="0.92")


def _unit(record: Mapping[str, Any]) -> str:
    return "µm²" if record["area_unit"] == "um2" else "NAND2"


def _per(record: Mapping[str, Any]) -> str:
    return "TOPS/mm²" if record["area_unit"] == "um2" else "GOPS/kNAND2"


def _front(points: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the points that no other beats in area and period, by period."""
    found: list[Mapping[str, Any]] = []
    for point in sorted(points, key=lambda one: (one["min_period_ns"], one["area"])):
        if not found or point["area"] < found[-1]["area"]:
            found.append(point)
    return found


def curves(records: Records) -> Figure:
    """Return area against clock frequency of processing elements."""
    figure = _figure(len(records))
    for record, axes in zip(records, _row(figure, len(records)), strict=True):
        shown = [*subjects(record, table="mac"), *subjects(record, table="digit")]
        for at, one in enumerate(shown):
            points = one["curve"]
            colour, marker = COLOURS[at % len(COLOURS)], _MARKERS[at % len(_MARKERS)]
            axes.plot(
                [1 / point["min_period_ns"] for point in points],
                [point["area"] for point in points],
                marker, ms=3, alpha=0.25, color=colour, ls="none",
            )  # fmt: skip
            front = _front(points)
            axes.plot(
                [1 / point["min_period_ns"] for point in front],
                [point["area"] for point in front],
                marker=marker, ms=4.5, color=colour, lw=1.3, label=one["name"],
            )  # fmt: skip
        axes.set_yscale("log")
        axes.set_title(record["technology"])
        axes.set_xlabel("clock, GHz")
        axes.set_ylabel(f"area of an element, {_unit(record)}")
        _style(axes)
    _legend(figure, figure.axes[0])
    return figure


def gains(records: Records) -> Figure:
    """Return area efficiency over the baseline's, beside the paper's."""
    return _bars(records, ratio, claims.ARRAY_AREA, claims.BITSLICE_AREA, "area efficiency")


def energy_gains(records: Records) -> Figure:
    """Return energy efficiency over the baseline's, beside the paper's."""
    return _bars(
        records, energy_ratio, claims.ARRAY_ENERGY, claims.BITSLICE_ENERGY, "energy efficiency"
    )


def _bars(
    records: Records,
    value: Callable[[Mapping[str, Any], Mapping[str, Any]], float | None],
    array_claims: Mapping[str, float],
    slice_claim: float,
    what: str,
) -> Figure:
    figure = _figure(2, 4.2)
    titles = {
        "array": "arrays, against the best plain MAC",
        "bitslice": "bit-slice, against Laconic",
    }
    shown = [table for table in titles if any(subjects(r, table=table) for r in records)]
    ratios = [5 if table == "array" else 3 for table in shown]
    panels = figure.subplots(1, len(shown), width_ratios=ratios, squeeze=False)[0]
    for axes, table in zip(panels, shown, strict=True):
        names = []
        for record in records:
            for one in subjects(record, table=table):
                if one["key"] != one["baseline"] and one["name"] not in names:
                    names.append(one["name"])
        for at, record in enumerate(records):
            known = {one["name"]: one for one in subjects(record, table=table)}
            heights = [value(record, known[name]) if name in known else None for name in names]
            width = 0.8 / len(records)
            axes.bar(
                [place + (at - (len(records) - 1) / 2) * width for place in range(len(names))],
                [height or 0.0 for height in heights],
                width,
                color=COLOURS[at % len(COLOURS)],
                label=record["technology"],
            )
        for place, name in enumerate(names):
            arrays = [
                family(one)
                for record in records
                for one in subjects(record, table=table)
                if one["name"] == name
            ]
            claim = array_claims[arrays[0]] if table == "array" else slice_claim
            axes.hlines(claim, place - 0.45, place + 0.45, color="black", lw=2,
                        label="paper" if place == 0 else None)  # fmt: skip
        axes.axhline(1, color="0.5", lw=0.8, ls="--")
        axes.set_xticks(range(len(names)), names, rotation=35, ha="right", fontsize=8)
        axes.set_ylabel(f"{what} over the baseline's")
        _style(axes)
        axes.grid(axis="x", visible=False)
        axes.set_title(titles[table])
    _legend(figure, panels[0])
    return figure


def scatter(records: Records) -> Figure:
    """Return energy per product against area efficiency of all elements and arrays."""
    figure = _figure(len(records))
    for record, axes in zip(records, _row(figure, len(records)), strict=True):
        known = [one for one in record["subjects"] if one["best"].get("energy")]
        names = list(dict.fromkeys(one["name"] for one in known))
        for one in known:
            at = names.index(one["name"])
            axes.plot(
                efficiency(record, one),
                one["best"]["energy"]["energy_per_mac_pj"],
                _MARKERS[(at + at // len(COLOURS)) % len(_MARKERS)],
                color=COLOURS[at % len(COLOURS)],
                mfc="none" if one["pe"] else COLOURS[at % len(COLOURS)],
                ms=7 if at < len(COLOURS) else 5,
                label=one["name"] if not one["pe"] or _only(known, one) else None,
            )
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_title(record["technology"])
        axes.set_xlabel(f"{_per(record)} (hollow: elements alone)")
        axes.set_ylabel("pJ/MAC")
        _style(axes)
    _legend(figure, figure.axes[0], columns=5)
    return figure


def _only(known: Sequence[Mapping[str, Any]], one: Mapping[str, Any]) -> bool:
    return sum(other["name"] == one["name"] for other in known) == 1


def sigma(records: Records) -> Figure:
    """Return energy and cycles against the spread of the operands."""
    figure = Figure(figsize=(max(_WIDTH * len(records), 6.0), 6.2), dpi=120, layout="constrained")
    grid = figure.subplots(2, len(records), squeeze=False, sharex=True)
    for column, record in enumerate(records):
        for row, what in enumerate(("energy_per_mac_pj", "cycles_per_mac")):
            axes = grid[row][column]
            for at, key in enumerate(dict.fromkeys(one["key"] for one in record["sigma"])):
                found = [one for one in record["sigma"] if one["key"] == key]
                name = next(one["name"] for one in record["subjects"] if one["key"] == key)
                axes.plot(
                    [one["sigma"] for one in found],
                    [one[what] for one in found],
                    marker=_MARKERS[at % len(_MARKERS)],
                    color=COLOURS[at % len(COLOURS)],
                    label=name,
                )
            axes.set_ylim(bottom=0)
            axes.set_ylabel("pJ/MAC" if row == 0 else "cycles of a lane per MAC")
            _style(axes)
        grid[0][column].set_title(record["technology"])
        grid[1][column].set_xlabel("σ of the operands")
    _legend(figure, grid[0][0])
    return figure


def widths(records: Records) -> Figure:
    """Return the shortest period against the width of the accumulator."""
    figure = _figure(len(records), 3.6)
    for record, axes in zip(records, _row(figure, len(records)), strict=True):
        names = list(dict.fromkeys(one["name"] for one in record["accumulator"]))
        for at, name in enumerate(names):
            found = [one for one in record["accumulator"] if one["name"] == name]
            axes.plot(
                [one["acc"] for one in found],
                [one["min_period_ns"] for one in found],
                marker=_MARKERS[at],
                color=COLOURS[at],
                label=name,
            )
        axes.set_ylim(bottom=0)
        axes.set_title(record["technology"])
        axes.set_xlabel("accumulator bits")
        axes.set_ylabel("shortest period, ns")
        _style(axes)
    _legend(figure, figure.axes[0])
    return figure


def _row(figure: Figure, columns: int) -> list[Axes]:
    return list(figure.subplots(1, columns, squeeze=False)[0])


def _legend(figure: Figure, axes: Axes, columns: int = 6) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=min(columns, max(1, len(labels))),
        frameon=False, fontsize=8.5,
    )  # fmt: skip


def _has(part: str) -> Callable[[Records], bool]:
    def there(records: Records) -> bool:
        if part == "array":
            return any(subjects(record, table="array") for record in records)
        if part == "energy":
            return any(
                one["best"].get("energy") for record in records for one in record["subjects"]
            )
        return all(record[part] for record in records)

    return there


#: By name: what it shows, what draws it, and whether records have what it needs.
PICTURES: Mapping[str, tuple[str, Callable[[Records], Figure], Callable[[Records], bool]]] = {
    "curves": ("Area against clock of processing elements", curves, lambda _: True),
    "gains": ("Area efficiency against the paper's claims", gains, _has("array")),
    "energy-gains": (
        "Energy efficiency against the paper's claims",
        energy_gains,
        lambda records: _has("array")(records) and _has("energy")(records),
    ),
    "energy": ("Energy against area efficiency", scatter, _has("energy")),
    "sigma": ("Energy and cycles against σ", sigma, _has("sigma")),
    "widths": ("Shortest period against accumulator width", widths, _has("accumulator")),
}
