"""What goes into ``reports/measured-*.json``: points as plain values, nothing left to guess."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bitweight.emit import modules_of
from bitweight.measure.search import Point
from bitweight.synth import SynthesisResult, Technology

__all__ = ["SCHEMA", "buffer_area", "curve", "detail", "rates"]

SCHEMA = 1
"""Number of the record's layout."""

_BUFFERS = ("_buffer", "_bank")
"""Modules that only hold operands: a chip has memories for them."""

_SKID = "_skid_buffer"
"""Named like a buffer, but of two words: no memory."""

_TOTALS = "_accumulation_column"
"""Modules that hold totals in a memory, beside the adder and control for them."""

_STEPS = 8
"""Blocks of a critical path that are kept, the slowest."""


def buffer_area(result: SynthesisResult, verilog: str, technology: Technology) -> float:
    """Return the area of what a chip would have memories for, all instances together.

    Of modules that hold nothing else it is the whole area; of those that hold totals it is that of
    as many flip-flops as the memory has bits, without what reads and writes them.

    Parameters
    ----------
    result
        With its netlist.
    verilog
        What was synthesised: it tells the bits of a memory.
    technology
        That of the result.
    """
    cells = technology.library.cells
    mapped, emitted = modules_of(result.netlist), modules_of(verilog)
    total = 0.0
    for name, module in result.modules.items():
        if _is_buffer(name, result.design):
            total += module.area * module.instances
        elif name.endswith(_TOTALS):
            kinds = re.findall(r"^ +(\w+) \S+ \($", mapped.get(name, ""), re.MULTILINE)
            flops = [cells[kind].area for kind in kinds if kind in cells and cells[kind].sequential]
            if flops:
                mean = sum(flops) / len(flops)
                total += mean * _memory_bits(emitted.get(name, "")) * module.instances
    return round(total, 3)


def _is_buffer(module: str, design: str) -> bool:
    short = module.removeprefix(design)
    return short.endswith(_BUFFERS) and not short.endswith(_SKID)


def _memory_bits(module: str) -> int:
    return sum(
        (int(high) + 1) * (int(last) + 1)
        for high, last in re.findall(r"^ *reg \[(\d+):0\] \S+ \[(\d+):0\];", module, re.MULTILINE)
    )


def detail(point: Point, verilog: str, technology: Technology) -> dict[str, Any]:
    """Return all on a point that a report may tell; `verilog` is what it was made from."""
    result = point.result
    return {
        **curve(point),
        "design": point.way.design.to_dict(),
        "options": point.options.to_json(),
        "hierarchical": result.hierarchical,
        "combinational_area": result.combinational_area,
        "sequential_area": result.sequential_area,
        "nand2_equivalents": result.nand2_equivalents,
        "flip_flops": result.flip_flops,
        "buffer_area": buffer_area(result, verilog, technology),
        "blocks": {
            name.removeprefix(result.design).lstrip("_") or "top": {
                "instances": module.instances,
                "area": round(module.area * module.instances, 3),
                "buffer": _is_buffer(name, result.design),
            }
            for name, module in result.modules.items()
        },
        "register_period_ns": result.register_period_ns,
        "critical_path": _path(result),
    }


def curve(point: Point) -> dict[str, Any]:
    """Return a point of an area-frequency curve."""
    result = point.result
    return {
        "made_as": point.label,
        "target_ns": result.target_ns,
        "area": result.area,
        "min_period_ns": result.min_period_ns,
    }


def _path(result: SynthesisResult) -> dict[str, Any]:
    """Return where the critical path begins and ends, and the time that it spends in each block."""
    steps = result.critical_path
    blocks: dict[str, float] = {}
    for step in steps:
        place = _block(step.pin)
        blocks[place] = round(blocks.get(place, 0.0) + step.delay_ns, 6)
    slowest = sorted(blocks.items(), key=lambda item: -item[1])[:_STEPS]
    worst = sorted(steps, key=lambda step: -step.delay_ns)[:3]
    return {
        "from": steps[0].pin if steps else "",
        "to": steps[-1].pin if steps else "",
        "cells": len({step.pin.rpartition("/")[0] for step in steps}),
        "by_block_ns": dict(slowest),
        "slowest_cells": [
            {"pin": step.pin, "cell": step.cell, "delay_ns": step.delay_ns} for step in worst
        ],
    }


def _block(pin: str) -> str:
    """Return the instance that a pin is in, its numbers left out; "top" for the top module."""
    *places, _cell, _pin = pin.split("/") if pin.count("/") else ("", pin)
    names = [re.sub(r"_?\d+", "", place) for place in places if place]
    return "/".join(names) or "top"


def rates(
    point: Mapping[str, Any], macs_per_cycle: float, area_unit: str, *, area: float | None = None
) -> dict[str, Any]:
    """Return throughput and throughput per area; TOPS/mm² where areas are in µm².

    Parameters
    ----------
    point
        With ``min_period_ns`` and ``area``.
    macs_per_cycle
        Useful multiply-accumulates; each is two operations.
    area_unit
        Of the library.
    area
        In place of the point's own.
    """
    gops = 2 * macs_per_cycle / point["min_period_ns"]
    return {
        "gops": gops,
        "efficiency": 1000 * gops / (point["area"] if area is None else area),
        "per": "TOPS/mm²" if area_unit == "um2" else "GOPS/kNAND2",
    }
