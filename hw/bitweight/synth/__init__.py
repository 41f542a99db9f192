"""Synthesis and timing: what a design costs, measured with Yosys, ABC and OpenSTA."""

from bitweight.synth.errors import TechnologyError, ToolError
from bitweight.synth.explore import (
    Candidate,
    Comparison,
    Measured,
    best_of,
    best_point,
    sweep,
    winner,
)
from bitweight.synth.flow import synthesise
from bitweight.synth.options import YosysOptions, variants
from bitweight.synth.power import METHOD, BlockPower, Power, power, simulated
from bitweight.synth.report import SynthesisResult
from bitweight.synth.technology import Technology, find_technology, published, technologies

__all__ = [
    "METHOD",
    "BlockPower",
    "Candidate",
    "Comparison",
    "Measured",
    "Power",
    "SynthesisResult",
    "Technology",
    "TechnologyError",
    "ToolError",
    "YosysOptions",
    "best_of",
    "best_point",
    "find_technology",
    "power",
    "published",
    "simulated",
    "sweep",
    "synthesise",
    "technologies",
    "variants",
    "winner",
]
