"""Verilator's warnings of emitted Verilog that say nothing about a design, and why."""

from __future__ import annotations

__all__ = ["MESSAGES", "WAIVERS", "WALL_WAIVERS", "control_file"]

WAIVERS = {
    "WIDTH": "Yosys writes `! count`, `row < 2'h2` and `part = word >> at` for operands of any "
    "width. Verilog extends or cuts these by its own rules, for which simulators and Yosys agree: "
    "the netlist is compared with NumPy.",
    "UNSIGNED": "A comparison with the end of a range is written for every size, also for that "
    "where it is always true (`address < 1` of one row).",
}
"""Warnings that Verilator gives by default, and why each is waived."""

WALL_WAIVERS = WAIVERS | {
    "DECLFILENAME": "All modules of a design are in one file, named as the top.",
    "UNUSEDSIGNAL": "Amaranth keeps a name for every port of every block, also where the parent "
    "reads the wire under its own name; and sums modulo 2^w drop the carry on top.",
    "PROCASSINIT": "Registers have their reset value as their initial value, too: that of an FPGA "
    "after configuration, and of a simulation before the first reset.",
}
"""Those of ``-Wall``, which has warnings about style besides."""

_OPERATORS = ("ADD", "SUB", "MUL", "EQ", "NEQ", "LT", "LTE", "GT", "GTE", "AND", "OR", "XOR")

MESSAGES = {
    "WIDTHEXPAND": tuple(f"Operator {name} expects *" for name in _OPERATORS),
    "WIDTHTRUNC": (
        "Logical operator LOGNOT expects *",
        "Operator ASSIGNW expects * but Assign RHS's SHIFTR generates *",
    ),
}
"""What is waived of the two kinds of ``WIDTH``: a port or signal of another width is reported."""


def control_file() -> str:
    """Return a control file of Verilator with all waivers; it is given before the sources."""
    lines = ["`verilator_config"]
    for name in WALL_WAIVERS:
        if name != "WIDTH":
            lines.append(f"lint_off -rule {name}")
    for name, messages in MESSAGES.items():
        lines += [f'lint_off -rule {name} -file "*" -match "{text}"' for text in messages]
    return "\n".join(lines) + "\n"
