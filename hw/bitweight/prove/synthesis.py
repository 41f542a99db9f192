"""From claims to and-inverter graphs, by Amaranth and Yosys."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bitweight.emit.verilog import uncollected
from bitweight.prove.circuit import Circuit
from bitweight.prove.claim import Claim
from bitweight.synth import tools

__all__ = ["emitted", "synthesised"]

_GATES = """\
opt_merge
opt_clean
techmap
async2sync
dffunmap
simplemap
aigmap
"""


_TRANSPARENT = """\
(* techmap_celltype = "$dff" *)
module transparent(CLK, D, Q);
parameter WIDTH = 0;
parameter CLK_POLARITY = 1;
input CLK;
input [WIDTH-1:0] D;
output [WIDTH-1:0] Q;
assign Q = D;
endmodule
"""
"""Registers as wires: what a pipeline without stalls makes of its inputs."""


def emitted(claims: Sequence[Claim]) -> list[tuple[str, str]]:
    """Return what Amaranth emits for each claim, circuit and specification, and a checksum.

    The checksum is over that text and what is done with it.
    """
    with uncollected():
        texts = [claim.rtlil("claim") for claim in claims]
    return [
        (text, hashlib.sha256(f"{text}{claim.facts()}".encode()).hexdigest()[:16])
        for claim, text in zip(claims, texts, strict=True)
    ]


def synthesised(claims: Sequence[Claim], texts: Sequence[str] | None = None) -> list[Circuit]:
    """Return the and-inverter graphs of claims, all from one run of Yosys.

    Parameters
    ----------
    claims
        What is proven.
    texts
        What was emitted for them, where that has been done.

    Raises
    ------
    ToolError
        If Yosys is missing or fails.
    """
    if not claims:
        return []
    if texts is None:
        texts = [text for text, _ in emitted(claims)]
    names = [f"claim_{number}" for number in range(len(claims))]
    script = []
    with tempfile.TemporaryDirectory(prefix="bitweight-prove-") as place:
        folder = Path(place)
        for name, text in zip(names, texts, strict=True):
            # Names of modules begin with that of the top, and stand only after these words.
            renamed = re.sub(
                r"^(module|  cell) \\claim(?=[.\n ])", rf"\1 \\{name}", text, flags=re.MULTILINE
            )
            (folder / f"{name}.il").write_text(renamed, encoding="utf-8")
            script.append(f"read_rtlil {name}.il")
        (folder / "transparent.v").write_text(_TRANSPARENT, encoding="utf-8")
        script += ["setattr -mod -unset top *", "proc -norom", "flatten", "delete claim_*.*"]
        # Memories start with any contents, as registers of the circuit under test do.
        script += ["delete t:$meminit*", "memory_collect", "memory_map"]
        for name, claim in zip(names, claims, strict=True):
            if claim.preparation:
                script += [f"cd {name}", claim.preparation, "cd"]
        script.append(_GATES)
        for name in names:
            script += [f"setattr -mod -set top 1 {name}", f"write_aiger -symbols {name}.aig"]
            script.append(f"setattr -mod -unset top {name}")
        (folder / "prove.ys").write_text("\n".join(script) + "\n", encoding="utf-8")
        tools.yosys(folder, "prove.ys", timeout=600.0)
        return [Circuit.read((folder / f"{name}.aig").read_bytes()) for name in names]
