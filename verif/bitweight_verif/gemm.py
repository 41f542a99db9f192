"""Runs matrix products on the simulated Verilog of a design."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bitweight_verif.runner import ProgressHook, build, scratch
from bitweight_verif.simulators import SIMULATORS, SimulationError, reason, require

if TYPE_CHECKING:
    from bitweight import Design


def run_gemms(
    design: Design,
    pairs: Sequence[tuple[NDArray[Any], NDArray[Any]]],
    sim: str = "verilator",
    progress: ProgressHook | None = None,
    *,
    emission: Any = None,
    build_dir: Path | str | None = None,
    patience: float = 300.0,
) -> list[tuple[NDArray[Any], int]]:
    """Multiply matrices on the simulated Verilog, back to back and without stalls.

    Parameters
    ----------
    design : Design
        What is simulated.
    pairs : sequence of (A, B)
        Matrices of M × K and K × N.
    sim : {"verilator", "icarus"}
        The simulator.
    progress : callable, optional
        Called with the result beats that have arrived and their total, while the simulation runs.
    emission : Emission, optional
        Verilog with its top and manifest; `emit(design)` otherwise.
    build_dir : path, optional
        Where to build and to keep logs; a temporary folder otherwise.
    patience : float
        Seconds without a sign of life after which the simulation counts as hung.

    Returns
    -------
    list of (C, cycles)
        For each pair its product as it came out of the simulation, compared with nothing, and
        the clock cycles from the last result of the product before it to its own (for the first
        product: from the first operand taken). The cycles of all add up to the whole run.

    Raises
    ------
    SimulatorMissing
        If the simulator is not installed.
    SimulationError
        If the simulation fails: the design hangs or breaks a stream rule, or the simulator ends.
    """
    if sim not in SIMULATORS:
        raise ValueError(f'sim must be "icarus" or "verilator", not {sim!r}')
    require(sim)
    if not len(pairs):
        return []
    packed = [design.pack(A, B) for A, B in pairs]
    counts = [design.output_beats(A.shape[0], B.shape[1]) for A, B in pairs]
    if emission is None:
        from bitweight.emit import emit  # noqa: PLC0415

        emission = emit(design)
    streams = emission.manifest["streams"]
    model = build(emission.verilog, emission.top, streams, sim, build_dir=build_dir)
    exchange = Path(mkdtemp(dir=scratch() if build_dir is None else model.folder))
    try:
        _save(exchange / "beats.npz", packed)
        spec = {
            "manifest": {"streams": streams},
            "beats": str(exchange / "beats.npz"),
            "output": str(exchange / "output.npz"),
            "results_expected": sum(counts),
        }
        folder = model.run("bitweight_verif.replay", spec, progress, patience)
        if not (exchange / "output.npz").is_file():
            model.keep()
            log = folder / "simulation.log"
            why = reason(log) or "no results were written"
            raise SimulationError("crash", f"{design.name} under {sim}: {why}", log)
        with np.load(exchange / "output.npz") as output:
            data, cycles = output["data"], output["cycles"]
    finally:
        shutil.rmtree(exchange, ignore_errors=True)
    results = []
    position = before = 0
    for (A, B), count in zip(pairs, counts, strict=True):
        end = position + count
        C = np.asarray(design.unpack(data[position:end], A.shape[0], B.shape[1]))
        now = int(cycles[end - 1])
        results.append((C, now - before))
        position, before = end, now
    return results


def _save(path: Path, packed: Sequence[Any]) -> None:
    """Write the operand beats of all products, one after the other."""
    arrays: dict[str, Any] = {
        f"{name}_{part}": np.concatenate(
            [np.asarray(getattr(getattr(beats, name), part)) for beats in packed]
        )
        for name in "ab"
        for part in ("data", "last")
    }
    np.savez(path, **arrays)
