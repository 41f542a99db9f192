"""Conformance benches and drivers for the engines that bitweight generates."""

from bitweight_verif.gemm import run_gemms
from bitweight_verif.simulators import SimulationError, SimulatorMissing
from bitweight_verif.verify import CaseResult, VerifyResult, verify

__all__ = [
    "CaseResult",
    "SimulationError",
    "SimulatorMissing",
    "VerifyResult",
    "run_gemms",
    "verify",
]
