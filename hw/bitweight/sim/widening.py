"""Blocks that there are many of become one, which computes with a bit of each in every word.

Compressors are written bit by bit, and a simulator that follows them does one operation for each
bit. Sixteen columns side by side cost hardly more than one if every bit of a column is a word with
one bit of each: `systolic-os-opt1` 16 × 16 does some ten times as many clock cycles in a second,
and its model is built in a third of the time. Where blocks are words already (a plain MAC, whose
`*` is one operation), there is nothing to gain, and they stay as they are.

Yosys turns a block into gates and flip-flops; :mod:`bitweight.sim.wide_verilog` writes them again
as words. The clock cycles and the values of all ports stay the same.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bitweight.emit import modules_of
from bitweight.sim.hierarchy import instances
from bitweight.sim.installation import SimulationError, SimulatorMissing
from bitweight.sim.process import run_watched
from bitweight.sim.wide_verilog import CannotWiden, join_instances, wide_module, wide_name

__all__ = ["WIDENING", "require_yosys", "widened"]

WIDENING = ("sim/widening.py", "sim/wide_verilog.py", "sim/hierarchy.py", "emit/verilog.py")
"""The sources that decide on what :func:`widened` returns."""

_YOSYS = "import sys; from pyosys import libyosys; libyosys.run_pass('script ' + sys.argv[1])"
_PATIENCE = 1200.0
_WIDEST = 64
"""Instances at a time: what a processor's word holds."""
_GAIN = 4
"""Operations on words of all instances' bits that must be saved for each that is added; a gate
takes as much code as an adder, and Verilator does better on words."""
_LEAST = 4000
"""Operations, of all instances together, below which a model is fast anyway."""

# Carries one after the other: fewer gates than Yosys' own, and nothing waits for them.
_RIPPLE = """(* techmap_celltype = "$lcu" *)
module _ripple(P, G, CI, CO);
  parameter WIDTH = 1;
  input [WIDTH-1:0] P, G;
  input CI;
  output [WIDTH-1:0] CO;
  genvar i;
  assign CO[0] = G[0] | (P[0] & CI);
  generate for (i = 1; i < WIDTH; i = i + 1) begin : carry
    assign CO[i] = G[i] | (P[i] & CO[i-1]);
  end endgenerate
endmodule
"""
_WORDS = """read_verilog -sv design.v
hierarchy -check -top {top}
proc
opt_clean
write_json words.json
"""
_GATES = """read_verilog -sv design.v
hierarchy -check -top {top}
proc
delete {others}
opt -full
dffunmap
alumacc
techmap -map ripple.v -map +/techmap.v
opt -full -nodffe -nosdff
abc -g AND,OR,XOR,MUX,ANDNOT
opt_clean
write_json gates.json
"""

_Modules = Mapping[str, Any]


def require_yosys() -> None:
    """Raise SimulatorMissing if Yosys is not installed."""
    if importlib.util.find_spec("pyosys") is None:
        raise SimulatorMissing("Yosys is missing: pip install 'bitweight[sim]' installs pyosys")


def widened(verilog: str, top: str, work: Path) -> str:
    """Return Verilog in which blocks are joined where that makes a model faster.

    Parameters
    ----------
    verilog
        As the emitter writes it.
    top
        Name of the top module, which stays as it is for the outside.
    work
        Folder for what Yosys reads and writes.

    Raises
    ------
    SimulationError
        If Yosys fails.
    """
    (work / "design.v").write_text(verilog, encoding="utf-8")
    (work / "ripple.v").write_text(_RIPPLE, encoding="utf-8")
    used = instances(verilog)
    blocks = list(_joinable(top, used))
    if not blocks:
        return verilog
    words = _yosys(_WORDS.format(top=top), work, "words")
    texts = modules_of(verilog)

    def saved(parent: str, block: str, count: int, modules: _Modules) -> float:
        """Return what is saved by joining, in operations; `modules` has the block as gates."""
        _, pieces = join_instances(
            texts[parent], words[parent], block, modules[block]["ports"], count
        )
        added = pieces + (_size(block, modules) if modules is not words else 0)
        return count * _size(block, words) - _GAIN * added

    # Gates take time to make: only where the ports alone do not cost too much.
    promising = [
        one for one in blocks if one[2] * _size(one[1], words) >= _LEAST and saved(*one, words) > 0
    ]
    chosen = [
        one
        for one in promising
        if not any(one[1] in _inside(other[1], used) - {other[1]} for other in promising)
    ]
    if not chosen:
        return verilog
    needed = set().union(*(_inside(block, used) for _, block, _ in chosen))
    others = " ".join(sorted(used.keys() - needed))
    gates = _yosys(_GATES.format(top=top, others=others), work, "gates")
    changed = False
    for parent, block, count in chosen:
        inside = _inside(block, used)
        try:
            wide = {
                wide_name(name, count): wide_module(name, gates, count) for name in sorted(inside)
            }
        except CannotWiden:
            continue
        if saved(parent, block, count, gates) > 0:
            texts[parent], _ = join_instances(
                texts[parent], words[parent], block, gates[block]["ports"], count
            )
            texts = {name: text for name, text in texts.items() if name not in inside} | wide
            changed = True
    return "\n\n".join(texts.values()) + "\n" if changed else verilog


def _joinable(top: str, used: Mapping[str, Counter[str]]) -> Iterator[tuple[str, str, int]]:
    """Yield parent, block and number of instances, the outermost first.

    They are all instances of the block that there are, and whatever is inside of it is nowhere
    else.
    """
    total = sum(used.values(), Counter())
    for parent, block, count in _outermost(top, used):
        inside = _inside(block, used)
        shared = {
            child for name in used.keys() - inside for child in used[name].keys() & inside
        } - {block}
        if 1 < count <= _WIDEST and total[block] == count and not shared:
            yield parent, block, count


def _inside(name: str, used: Mapping[str, Counter[str]]) -> set[str]:
    """Return a module and all those under it."""
    return {name}.union(*(_inside(child, used) for child in used[name]))


def _outermost(top: str, used: Mapping[str, Counter[str]]) -> Iterator[tuple[str, str, int]]:
    """Yield each module's blocks with their numbers, those of the top first."""
    level = [top]
    while level:
        for parent in level:
            for block, count in used[parent].items():
                yield parent, block, count
        level = list(dict.fromkeys(block for parent in level for block in used[parent]))


def _size(name: str, modules: _Modules) -> int:
    """Return the operations of a module, with those of all instances in it."""
    kinds = [cell["type"] for cell in modules[name]["cells"].values()]
    return sum(_size(kind, modules) if kind in modules else 1 for kind in kinds)


def _yosys(script: str, work: Path, name: str) -> _Modules:
    """Run a script of Yosys and return the modules that it has written to ``NAME.json``."""
    (work / f"{name}.ys").write_text(script, encoding="utf-8")
    log = work / f"{name}.log"
    command = [sys.executable, "-c", _YOSYS, f"{name}.ys"]
    with log.open("wb") as output:
        why = run_watched(command, work, dict(os.environ), output, patience=_PATIENCE)
    if why or not (work / f"{name}.json").is_file():
        errors = [line for line in log.read_text(errors="replace").splitlines() if "ERROR" in line]
        raise SimulationError("build", f"Yosys: {errors[0] if errors else why}", log)
    modules: _Modules = json.loads((work / f"{name}.json").read_text())["modules"]
    return modules
