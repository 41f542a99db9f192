"""Random legal designs: each is emitted, passes lint and equals NumPy, cycles included.

``BITWEIGHT_DRAWS`` is their number. All of them are simulated where there are more than `DRAWS`;
of fewer, in order to be quick, the first of every array and transformation.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from drawn import PAIRS, draw_design, draw_gemm

from bitweight import Design
from bitweight.emit import Emission, emit
from bitweight.emit.lint import control_file
from bitweight.sim import CompiledDesign
from bitweight.sim.installation import verilator_environment, verilator_program

DRAWS = 60
COUNT = int(os.environ.get("BITWEIGHT_DRAWS", DRAWS))
SIMULATED = COUNT if COUNT > DRAWS else min(COUNT, len(PAIRS))


def lint(emission: Emission, top: str, folder: Path) -> str:
    """Return what Verilator says of the sources."""
    for name, text in emission.sources().items():
        (folder / name).write_text(text, encoding="utf-8")
    control = folder / "waivers.vlt"
    control.write_text(control_file(), encoding="utf-8")
    command = [
        str(verilator_program()),
        "--lint-only",
        "-Wall",
        "--top-module",
        top,
        str(control),
        *(str(folder / name) for name in emission.sources()),
    ]
    run = subprocess.run(
        command, env=verilator_environment(), capture_output=True, text=True, check=False
    )
    assert bool(run.stderr) == bool(run.returncode)
    return run.stderr


@pytest.mark.parametrize("number", range(COUNT))
def test_a_legal_design_is_right(number, rng, tmp_path):
    # Each number has a seed of its own, and is the same design in a run of any length.
    rng = np.random.default_rng([rng.bit_generator.seed_seq.entropy, number])
    design = draw_design(rng, PAIRS[number % len(PAIRS)])
    print(json.dumps(design.to_dict()))
    assert Design.from_dict(json.loads(json.dumps(design.to_dict()))) == design

    emission = emit(design, wrap="axis" if rng.random() < 0.25 else None)
    top = emission.top if emission.wrapper is None else emission.wrapper.top
    assert lint(emission, top, tmp_path) == ""
    if number >= SIMULATED:
        return

    rtl = CompiledDesign(design, emission=emission)
    for _ in range(2):
        gemm = draw_gemm(rng, design)
        print(f"{gemm.size}, A = {gemm.A.tolist()}, B = {gemm.B.tolist()}")
        expected = design.reference(gemm.A, gemm.B, wrap=gemm.wrap)
        modulus = gemm.A.astype(object) @ gemm.B.astype(object) - expected
        assert not (modulus % (1 << design.acc)).any()
        C, stats = rtl.gemm(gemm.A, gemm.B, wrap=gemm.wrap)
        np.testing.assert_array_equal(C, expected)
        assert stats.cycles == design.cycles(gemm.A, gemm.B, wrap=gemm.wrap)
        stalls = dict(zip("abc", rng.choice([0.0, 0.1, 0.5, 0.9], 3).tolist(), strict=True))
        seed = int(rng.integers(1 << 32))
        print(f"stalls={stalls}, seed={seed}")
        C, stats = rtl.gemm(gemm.A, gemm.B, wrap=gemm.wrap, stalls=stalls, seed=seed)
        np.testing.assert_array_equal(C, expected)
