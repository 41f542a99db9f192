"""Mapped netlists of designs, as text that the simulators of the RTL take as well.

Cells take their behaviour from the Liberty files through Yosys, but for the clock gate, whose latch
Liberty describes in a way that Yosys does not read: it is written down here.

Flip-flops begin with any values, as in silicon. Verilog's X would ask for more than a circuit has
to do: ``x & ~x`` is 0 in gates and X in a simulator, and what a register without a reset held
before a product then never leaves the sums that begin after it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from bitweight.emit import modules_of
from bitweight.files import temporary_folder
from bitweight.measure.search import FASTEST_NS
from bitweight.measure.store import Store
from bitweight.synth import SynthesisResult, Technology, ToolError, YosysOptions, tools
from bitweight.synth.netlist import FlatNetlist, read_netlist
from bitweight.synth.timing import link_libraries

if TYPE_CHECKING:
    from bitweight import Design

__all__ = ["FASTEST_NS", "flat_netlist", "mapped", "with_models"]

_TIMEOUT_S = 600.0
_CLOCK_GATE = """
module {cell}({ports});
  input {inputs};
  output {gated};
  reg open;
  always @* if (!{clock}) open = {enables};
  assign {gated} = {clock} & open;
endmodule
"""


def mapped(
    design: Design, technology: Technology, period_ns: float = FASTEST_NS
) -> SynthesisResult:
    """Synthesise a design with the flow's own options, or find that done.

    Parameters
    ----------
    design : Design
        The design.
    technology : Technology
        The library.
    period_ns : float
        Clock target; by default one that nothing reaches, as in the measurements.

    Raises
    ------
    ToolError
        A tool is missing or failed.
    """
    return Store().synthesis(design, technology, period_ns, YosysOptions())


def with_models(result: SynthesisResult, technology: Technology) -> str:
    """Return a netlist as Verilog, with a module for each library cell that it uses.

    Raises
    ------
    ToolError
        If Yosys fails, or the library says nothing of a cell.
    """
    cell, _, clock, gated = technology.clock_gate or ("", "", "", "")
    with temporary_folder("models", kept=ToolError) as folder:
        lines = [
            f"read_liberty -ignore_miss_func -ignore_miss_dir -ignore_miss_data_latch {name}"
            for name in link_libraries(folder, technology)
        ]
        lines += [f"delete {cell}"] if cell else []
        script = "\n".join([*lines, "write_verilog -noattr models.v"])
        (folder / "models.ys").write_text(script + "\n", encoding="utf-8")
        tools.yosys(folder, "models.ys", _TIMEOUT_S)
        known = modules_of((folder / "models.v").read_text(encoding="utf-8"))
    if cell:
        inputs = sorted(technology.library.cells[cell].inputs)
        known[cell] = _CLOCK_GATE.format(
            cell=cell,
            ports=", ".join([*inputs, gated]),
            inputs=", ".join(inputs),
            gated=gated,
            clock=clock,
            enables=" | ".join(pin for pin in inputs if pin != clock),
        )
    missing = sorted(result.cells.keys() - known.keys())
    if missing:
        raise ToolError(f"{technology.name} says nothing of what {missing[0]} does")
    return "\n".join([result.netlist, *(_awake(known[kind]) for kind in sorted(result.cells))])


def _awake(model: str) -> str:
    """Return the model of a cell whose state begins with a value of chance, the same each run."""
    # Yosys writes a flip-flop twice where its inverted output is another pin.
    state, *copies = re.findall(r"^ *reg (\w+);", model, re.MULTILINE) or [""]
    if not state:
        return model
    begin = " ".join([f"{state} = $random;", *(f"{copy} = {state};" for copy in copies)])
    return model.replace("endmodule", f"  initial begin {begin} end\nendmodule")


def flat_netlist(result: SynthesisResult, technology: Technology) -> FlatNetlist:
    """Return a netlist as arrays.

    Raises
    ------
    ToolError
        If Yosys fails, or the netlist cannot be simulated.
    """
    with temporary_folder("netlist", kept=ToolError) as folder:
        return read_netlist(result.netlist, result.design, technology, Path(folder))
