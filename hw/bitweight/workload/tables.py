"""Tables of a workload's record, made from it and from nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["FIGURES", "LAYER_HEAD", "SUMMARY_HEAD", "layer_rows", "markdown", "summary_rows"]

COMMAND = "bitweight workload"

FIGURES = {
    "accuracy": "accuracy in INT8",
    "float_accuracy": "accuracy in floating point",
    "error": "relative error against floating point",
}
"""The figures of a workload, in words; all are ratios."""

SUMMARY_HEAD = ("design", "equal to NumPy", "cycles", "MACs per cycle", "utilisation", "seconds")
LAYER_HEAD = (
    "layer", "products", "M", "K", "N", "cycles", "utilisation", "operands A · B",
    "digits of A", "digits of B", "cycles if B is encoded", "better to encode",
)  # fmt: skip

NOTES = (
    "Every product ran on the simulated Verilog and was compared with NumPy element by element, "
    "and its cycles with those of the exact model; cycles of a layer are those of its products one "
    "after the other, each from reset to its last result.",
    "Utilisation is the part of the cycles of all lanes in which they form partial products that "
    "count: padding, waiting, filling and draining are not in it.",
    "Digits are the non-zero ones of an operand, on average. Cycles if B is encoded are those of "
    "the exact model for the transposed product; the operand that is better to encode takes "
    "fewer cycles, or as many with fewer digits.",
    "Seconds are those of the simulations, when they were done, without building the models.",
)


def summary_rows(record: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the rows below :data:`SUMMARY_HEAD`, one for each design."""
    return [
        (
            one["design"]["name"],
            "bit for bit",
            f"{one['cycles']:,}",
            f"{one['macs_per_cycle']:.1f}",
            f"{one['utilisation']:.1%}",
            f"{one['seconds']:.1f}",
        )
        for one in record["engines"]
    ]


def layer_rows(engine: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the rows below :data:`LAYER_HEAD` for one design, one for each layer."""
    return [
        (
            one["layer"],
            str(one["gemms"]),
            *(str(one[size]) for size in "mkn"),
            f"{one['cycles']:,}",
            f"{one['utilisation']:.1%}",
            " · ".join(one["operands"]),
            *(f"{digits:.2f}" for digits in one["digits"]),
            f"{one['swapped_cycles']:,}",
            one["better_to_encode"],
        )
        for one in engine["layers"]
    ]


def figures_text(record: Mapping[str, Any]) -> str:
    """Return accuracy or error in words."""
    return ", ".join(f"{FIGURES[name]} {value:.2%}" for name, value in record["figures"].items())


def markdown(record: Mapping[str, Any]) -> str:
    """Return the report on a record."""
    name = record["workload"]
    figures = figures_text(record)
    lines = [
        f"# Workload: {name}",
        "",
        f"Made from `workload-{name}.json` by `{COMMAND} {name}`; do not edit.",
        "",
        f"{record['description']}",
        "",
        f"{figures[0].upper()}{figures[1:]}; {record['macs']:,} MACs.",
        "",
        *_table(SUMMARY_HEAD, summary_rows(record)),
    ]
    for engine in record["engines"]:
        design = engine["design"]
        lines += [
            "",
            f"## {design['name']}",
            "",
            f"{engine['lanes']:,} lanes, digits in `{engine['encoding']}`.",
            "",
            *_table(LAYER_HEAD, layer_rows(engine)),
        ]
    return "\n".join([*lines, "", *(f"- {note}" for note in NOTES), ""])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    texts = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(cells)} |" for cells in texts]
