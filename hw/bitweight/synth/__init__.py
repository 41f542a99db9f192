"""Synthesis and timing: what a design costs, measured with Yosys, ABC and OpenSTA."""

from bitweight.synth.errors import TechnologyError, ToolError, ToolMissing
from bitweight.synth.explore import (
    Candidate,
    Comparison,
    Measured,
    best_of,
    best_point,
    sweep,
    winner,
)
from bitweight.synth.export import export
from bitweight.synth.flow import synthesise
from bitweight.synth.fpga import FPGAS, Fpga, FpgaResult, synthesise_fpga
from bitweight.synth.options import YosysOptions, variants
from bitweight.synth.power import METHOD, BlockPower, Power, power, simulated
from bitweight.synth.report import SynthesisResult
from bitweight.synth.technology import Technology, find_technology, published, technologies
from bitweight.synth.timing import CellReports

__all__ = [
    "FPGAS",
    "METHOD",
    "BlockPower",
    "Candidate",
    "CellReports",
    "Comparison",
    "Fpga",
    "FpgaResult",
    "Measured",
    "Power",
    "SynthesisResult",
    "Technology",
    "TechnologyError",
    "ToolError",
    "ToolMissing",
    "YosysOptions",
    "best_of",
    "best_point",
    "export",
    "find_technology",
    "power",
    "published",
    "simulated",
    "sweep",
    "synthesise",
    "synthesise_fpga",
    "technologies",
    "variants",
    "winner",
]
