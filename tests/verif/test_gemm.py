"""Matrix products on the simulated Verilog."""

from __future__ import annotations

import numpy as np
import pytest
from test_bench_fails import wrapped

from bitweight import catalog
from bitweight_verif import SimulationError, run_gemms

DESIGN = catalog["systolic-os-mac-small"]


def pairs(rng, sizes):
    return [(rng.integers(-128, 128, (m, k)), rng.integers(-128, 128, (k, n))) for m, k, n in sizes]


@pytest.mark.parametrize("sim", ["icarus", "verilator"])
def test_products_come_back_in_order(rng, sim, tmp_path):
    todo = pairs(rng, [(9, 7, 5), (1, 1, 1), (4, 30, 3), (13, 2, 8)])
    steps = []
    results = run_gemms(
        DESIGN, todo, sim, lambda done, total: steps.append((done, total)), build_dir=tmp_path
    )
    for (A, B), (C, cycles) in zip(todo, results, strict=True):
        np.testing.assert_array_equal(C, A @ B)
        assert cycles > 0
    assert results[0][1] == DESIGN.cycles(*todo[0])
    assert sum(cycles for _, cycles in results) <= sum(DESIGN.cycles(*pair) for pair in todo)
    total = sum(DESIGN.output_beats(len(A), B.shape[1]) for A, B in todo)
    assert steps[-1] == (total, total)
    assert steps == sorted(steps)


def test_nothing_to_do():
    assert run_gemms(DESIGN, []) == []


def test_bad_input(rng):
    with pytest.raises(ValueError, match='sim must be "icarus" or "verilator", not \'all\''):
        run_gemms(DESIGN, pairs(rng, [(1, 1, 1)]), "all")
    with pytest.raises(ValueError, match="not 128"):
        run_gemms(DESIGN, [(np.array([[128]]), np.array([[1]]))], "icarus")


def test_a_broken_stream_rule_is_an_error_with_a_log(rng, tmp_path):
    body = "wire valid; reg blink = 0; always @(posedge clk) blink <= ~blink;"
    broken = wrapped(DESIGN, body=body + "assign c__valid = 1'bx;", c__valid="valid")
    with pytest.raises(SimulationError, match=r"ProtocolError: c in cycle 0: valid is X; see /"):
        run_gemms(DESIGN, pairs(rng, [(2, 2, 2)]), "icarus", emission=broken, build_dir=tmp_path)
