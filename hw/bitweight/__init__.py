"""Generate, verify and measure tensor processing engines.

The public names are those in ``__all__`` here, and in ``__all__`` of the packages

- `bitweight.emit`: Verilog, manifests, AXI4-Stream wrappers, FuseSoC cores;
- `bitweight.synth`: area, clock and power, FPGA resources (extra ``synth``);
- `bitweight_verif`: running a design under a simulator against NumPy, and its modules ``beats`` and
  ``streams``, the drivers for a cocotb bench of one's own (extra ``sim``).

Everything else may change with any version. A public name, its parameters and what a port or a
field of a manifest means change in this way only: a version that has the new one still has the old
one, which works as before and raises a ``DeprecationWarning`` that names the new one; the old one
goes with the next minor version (0.x, later x.0) at the earliest. Emitted Verilog is the same, byte
for byte, for the same parameters and version, and may differ between versions.
"""

from __future__ import annotations

from bitweight import emit
from bitweight._version import __version__
from bitweight.arith import ENCODINGS
from bitweight.catalog import catalog, find_design
from bitweight.design import Design, Operands
from bitweight.notation import (
    MAC,
    OPT1,
    OPT2,
    OPT2_TEMPORAL,
    OPT3,
    OPT4C,
    OPT4E,
    IllegalMove,
    Int,
    Nest,
)
from bitweight.sim import compile
from bitweight.tpe import (
    ARRAYS,
    AdderTree,
    BitSlice,
    Column,
    Cube,
    Laconic,
    Matrix2D,
    SystolicOS,
    SystolicWS,
)
from bitweight.tpe.stream import Beats, beat_stream

__all__ = [
    "ARRAYS",
    "ENCODINGS",
    "MAC",
    "OPT1",
    "OPT2",
    "OPT2_TEMPORAL",
    "OPT3",
    "OPT4C",
    "OPT4E",
    "AdderTree",
    "Beats",
    "BitSlice",
    "Column",
    "Cube",
    "Design",
    "IllegalMove",
    "Int",
    "Laconic",
    "Matrix2D",
    "Nest",
    "Operands",
    "SystolicOS",
    "SystolicWS",
    "__version__",
    "beat_stream",
    "catalog",
    "compile",
    "emit",
    "find_design",
]
