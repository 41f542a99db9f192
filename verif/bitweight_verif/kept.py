"""What is on record need not run again: the same bench, on the same Verilog, that passed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bitweight.sources import sources_digest

__all__ = ["bench_digest", "same_run"]

_BENCH = ("beats.py", "bench.py", "cases.py", "streams.py")


def bench_digest() -> str:
    """Return a checksum over what decides which cases there are and what they check."""
    return sources_digest(*_BENCH, root=Path(__file__).parent)[:16]


def same_run(
    run: Mapping[str, Any] | None,
    *,
    verilog: str,
    version: str,
    trials: int,
    gemm: str | None,
    seed: int | None,
) -> bool:
    """Tell whether a run on record is what would run now.

    Parameters
    ----------
    run : dict or None
        As the record of benches has it, if it has it.
    verilog : str
        Checksum of the Verilog.
    version : str
        Of the simulator.
    trials : int
        Runs of each random kind and size; more are as good.
    gemm : str or None
        The only size, if there is one.
    seed : int or None
        Any where none is asked for.
    """
    if run is None or not run.get("passed") or run.get("bench") != bench_digest():
        return False
    if (run.get("verilog"), run.get("version"), run.get("gemm")) != (verilog, version, gemm):
        return False
    return run.get("trials", 0) >= trials and seed in (None, run.get("seed"))
