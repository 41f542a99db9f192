"""Verilator's warnings of emitted Verilog that say nothing about a design, and why."""

from __future__ import annotations

__all__ = ["WAIVERS", "WALL_WAIVERS"]

WAIVERS = {
    "WIDTH": "Yosys writes `! count` and `row < 2'h2` for operands of any width. Verilog extends "
    "or cuts these by its own rules, for which simulators and Yosys agree: the netlist is "
    "compared with NumPy.",
    "UNSIGNED": "A comparison with the end of a range is written for every size, also for that "
    "where it is always true (`address < 1` of one row).",
}
"""Warnings that Verilator gives by default, and why each is waived."""

WALL_WAIVERS = WAIVERS | {
    "DECLFILENAME": "All modules of a design are in one file, named as the top.",
    "UNUSEDSIGNAL": "Amaranth keeps a name for every port of every block, also where the parent "
    "reads the wire under its own name; and sums modulo 2^w drop the carry on top.",
    "SYMRSVDWORD": "`switch` is a word of C++, not of Verilog; Verilator renames it in its C++.",
    "PROCASSINIT": "Registers have their reset value as their initial value, too: that of an FPGA "
    "after configuration, and of a simulation before the first reset.",
}
"""Those of ``-Wall``, which has warnings about style besides."""
