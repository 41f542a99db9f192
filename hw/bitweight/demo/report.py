"""The job's record as JSON, and the tables that are made from it and from nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bitweight.demo.cost import Cost
from bitweight.demo.hardware import EngineRun
from bitweight.synth import Measured, SynthesisResult

__all__ = ["cost_record", "cost_rows", "engine_record", "engine_rows", "markdown", "short"]

#: Number of the record's layout.
SCHEMA = 1
COMMAND = "make"
SIMULATOR = "verilator"
#: What the paper claims for the same pairs, on a 28 nm library and a commercial flow.
PAPER = {"period": 1.95 / 0.92, "array_efficiency": 1.27}
CAVEATS = (
    "The baseline is the most area-efficient plain MAC that this flow can make: every style of "
    "processing element, `*` and `+` in every way listed in the record, at every clock target.",
    "Periods come from static timing after buffering and sizing; no wires are modelled before "
    "layout. An array's GOPS is its peak, 2 operations per processing element and period.",
    "The paper's figures are for a 28 nm library and a commercial flow: the critical path of a "
    "MAC from 1.95 to 0.92 ns, area efficiency of a systolic array 1.27×.",
)
_WHAT = {"pe": "processing element", "array": "array"}


def engine_record(run: EngineRun, labels: Sequence[int]) -> dict[str, Any]:
    """Return what one engine did, as plain values."""
    right = sum(int(got) == int(want) for got, want in zip(run.digits, labels, strict=True))
    return {
        "design": run.design.to_dict(),
        "simulator": SIMULATOR,
        "accuracy": right / len(labels),
        "bit_exact": True,  # anything else has ended the job
        "cycles": run.cycles,
        "macs": run.macs,
        "processing_elements": run.pes,
        "utilisation": run.utilisation,
        "products": [
            {"layer": layer, "m": one.m, "k": one.k, "n": one.n, "cycles": one.cycles}
            for layer, one in enumerate(run.products)
        ],
    }


def cost_record(cost: Cost) -> dict[str, Any]:
    """Return one technology's measurements as plain values."""
    best = cost.baseline.best.result
    arrays = [
        {**_point(one.label, one.result), **_rates(one.result, one.pes), "pes": one.pes}
        for one in cost.arrays
    ]
    return {
        "technology": cost.technology,
        "area_unit": cost.area_unit,
        "liberty_sha256": dict(best.liberty_sha256),
        "tools": dict(best.tools),
        "targets_ns": list(cost.targets),
        "pe": {
            "baseline": _best(cost.baseline.best),
            "design": _best(cost.design.best),
            "ratio": cost.pe_ratio,
            "by_target": [
                {
                    "target_ns": target,
                    "baseline": _best(cost.baseline.winners[target]),
                    "design": _best(cost.design.winners[target]),
                }
                for target in cost.targets
            ],
            "measured": [
                _point(one.label, one.result)
                for one in (*cost.baseline.measured, *cost.design.measured)
            ],
        },
        "array": (
            {"baseline": arrays[0], "design": arrays[1], "ratio": cost.array_ratio}
            if arrays
            else None
        ),
    }


def _point(label: str, result: SynthesisResult) -> dict[str, Any]:
    return {
        "made_as": label,
        "options": result.options.to_json(),
        "target_ns": result.target_ns,
        "area": result.area,
        "nand2_equivalents": result.nand2_equivalents,
        "min_period_ns": result.min_period_ns,
    }


def _best(one: Measured) -> dict[str, Any]:
    return {**_point(one.label, one.result), **_rates(one.result, 1)}


def _rates(result: SynthesisResult, pes: float) -> dict[str, Any]:
    """Return throughput, and throughput per area in a unit that fits the library's."""
    gops = 2 * pes / result.min_period_ns
    if result.area_unit == "um2":
        return {"gops": gops, "efficiency": gops / result.area * 1000, "per": "TOPS/mm2"}
    return {"gops": gops, "efficiency": gops / result.area * 1000, "per": "GOPS/kNAND2"}


ENGINE_HEAD = ("design", "accuracy", "equal to NumPy", "cycles", "MACs", "utilisation")
COST_HEAD = (
    "technology",
    "of",
    "design",
    "made as",
    "target ns",
    "area",
    "period ns",
    "GOPS",
    "area efficiency",
)


def engine_rows(record: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the rows below `ENGINE_HEAD`."""
    return [
        (
            one["design"]["name"],
            f"{one['accuracy']:.2%}",
            "bit for bit",
            f"{one['cycles']:,}",
            f"{one['macs']:,}",
            f"{one['utilisation']:.1%}",
        )
        for one in record["engines"]
    ]


def cost_rows(record: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the rows below `COST_HEAD`: baseline, design, ratio and claim for each pair."""
    rows: list[tuple[str, ...]] = []
    names = [one["design"]["name"] for one in record["engines"]]
    for cost in record["costs"]:
        for what in ("pe", "array"):
            pair = cost[what]
            if pair is None:
                continue
            base, design = pair["baseline"], pair["design"]
            head = (cost["technology"], _WHAT[what])
            for name, point in zip(names, (base, design), strict=True):
                rows.append(
                    (
                        *head,
                        name,
                        point["made_as"],
                        f"{point['target_ns']:g}",
                        f"{point['area']:,.1f} {cost['area_unit']}",
                        f"{point['min_period_ns']:.3f}",
                        f"{point['gops']:.4g}",
                        f"{point['efficiency']:.4g} {point['per']}",
                    )
                )
            rows.append(
                (
                    *head,
                    "ratio",
                    "",
                    "",
                    f"{design['area'] / base['area']:.2f}×",
                    f"{design['min_period_ns'] / base['min_period_ns']:.2f}×",
                    f"{design['gops'] / base['gops']:.2f}×",
                    f"{pair['ratio']:.2f}×",
                )
            )
            claim = (f"{1 / PAPER['period']:.2f}×", f"{PAPER['period']:.2f}×", "")
            if what == "array":
                claim = ("", "", f"{PAPER['array_efficiency']:.2f}×")
            rows.append((*head, "paper", "", "", "", *claim))
    return rows


TARGET_HEAD = ("technology", "target ns", "best plain MAC", "area", "period ns", "OPT1 area", "ns")


def target_rows(record: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the rows below `TARGET_HEAD`: the winner at each clock target."""
    rows: list[tuple[str, ...]] = []
    for cost in record["costs"]:
        for one in cost["pe"]["by_target"]:
            base, design = one["baseline"], one["design"]
            rows.append(
                (
                    cost["technology"],
                    f"{one['target_ns']:g}",
                    base["made_as"],
                    f"{base['area']:,.1f}",
                    f"{base['min_period_ns']:.3f}",
                    f"{design['area']:,.1f}",
                    f"{design['min_period_ns']:.3f}",
                )
            )
    return rows


def markdown(record: Mapping[str, Any]) -> str:
    """Return the summary of a record."""
    network = " → ".join(str(size) for size in record["network"])
    versions = ", ".join(f"{k} {v}" for k, v in record["costs"][0]["tools"].items())
    lines = [
        "# Handwritten digits on simulated engines",
        "",
        f"Made from `digits.json` by `{COMMAND}`; do not edit.",
        "",
        f"An INT8 multi-layer perceptron ({network}, seed {record['seed']}) reads "
        f"{record['images']} held-out images of scikit-learn's digits. In floating point it gets "
        f"{record['float_accuracy']:.2%} right, in INT8 {record['int8_accuracy']:.2%}. Every "
        "matrix product ran on the simulated Verilog of each engine and was compared with NumPy.",
        "",
        *_table(ENGINE_HEAD, engine_rows(record)),
        "",
        "## Cost",
        "",
        *_table(COST_HEAD, cost_rows(record)),
        "",
        "The smallest processing element that runs at a clock target, or the fastest where none "
        "does:",
        "",
        *_table(TARGET_HEAD, target_rows(record)),
        "",
        *(f"- {caveat}" for caveat in CAVEATS),
        f"- Tools: {versions}.",
        "",
    ]
    return "\n".join(lines)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    texts = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(cells)} |" for cells in texts]


SHORT_HEAD = (
    "technology",
    "of",
    "best plain MAC",
    "its period",
    "OPT1 period",
    "OPT1 area",
    "area efficiency",
    "paper",
)


def short(record: Mapping[str, Any]) -> str:
    """Return the few lines for the README: OPT1 against the best plain MAC, as ratios."""
    rows = []
    for cost in record["costs"]:
        for what in ("pe", "array"):
            pair = cost[what]
            if pair is not None:
                base, design = pair["baseline"], pair["design"]
                claim = f"{PAPER['array_efficiency']:.2f}×" if what == "array" else ""
                rows.append(
                    (
                        cost["technology"],
                        _WHAT[what],
                        base["made_as"],
                        f"{base['min_period_ns']:.3f} ns",
                        f"{design['min_period_ns']:.3f} ns",
                        f"{design['area'] / base['area']:.2f}×",
                        f"{pair['ratio']:.2f}×",
                        claim,
                    )
                )
    return "\n".join(_table(SHORT_HEAD, rows))
