"""Blocks joined to one give the products and clock cycles of the design as it is."""

import numpy as np
import pytest

import bitweight
from bitweight import catalog
from bitweight.emit import emit, modules_of
from bitweight.sim import widening
from bitweight.sim.wide_verilog import GATES
from bitweight.sim.widening import widened

#: Designs of which blocks are joined, and which: one of each kind of connection between them.
JOINED = {
    "systolic-os-opt1": ("column", {"rows": 2, "cols": 9}),
    "matrix2d-opt1": ("column", {"rows": 2, "cols": 12}),
    "systolic-ws-opt1": ("column", {"rows": 2, "cols": 12}),
    "laconic": ("column", {"rows": 1, "cols": 8}),
}


def small(name):
    block, sizes = JOINED[name]
    return catalog[name].with_(**sizes), block


@pytest.mark.parametrize("name", JOINED)
def test_joined_blocks(name, rng, tmp_path):
    design, block = small(name)
    made = emit(design)
    modules = modules_of(widened(made.verilog, made.top, tmp_path))
    cols = design.array.sizes["cols"]
    assert f"{made.top}_{block}__x{cols}" in modules and f"{made.top}_{block}" not in modules
    rtl = bitweight.compile(design)
    A = rng.integers(-128, 128, (7, 19)).astype(np.int8)
    B = rng.integers(-128, 128, (19, 2 * cols + 1)).astype(np.int8)
    C, stats = rtl.gemm(A, B)
    assert (design.reference(A, B) == C).all() and stats.cycles == design.cycles(A, B)
    C, _ = rtl.gemm(A, B, stalls=0.3, seed=int(rng.integers(1000)))
    assert (design.reference(A, B) == C).all()


@pytest.mark.parametrize(
    "name", ["systolic-os-mac-small", "systolic-os-mac", "bitslice-opt4c-small"]
)
def test_words_stay(name, tmp_path):
    made = emit(catalog[name])
    assert widened(made.verilog, made.top, tmp_path) == made.verilog


def test_wrong_gates_are_seen(monkeypatch, rng, tmp_path):
    design, _ = small("systolic-os-opt1")
    monkeypatch.setitem(GATES, "$_XOR_", "{A} | {B}")
    rtl = bitweight.compile(design, cache=bitweight.sim.Cache(tmp_path))
    A, B = (rng.integers(-128, 128, (9, 9)).astype(np.int8) for _ in range(2))
    try:
        C, _ = rtl.gemm(A, B)
    except bitweight.sim.SimulationError:
        return
    assert (design.reference(A, B) != C).any()


def test_a_block_that_is_no_gates_stays(monkeypatch, tmp_path):
    made = emit(small("systolic-os-opt1")[0])
    monkeypatch.delitem(GATES, "$_XOR_")
    assert widened(made.verilog, made.top, tmp_path) == made.verilog


def test_without_yosys(monkeypatch):
    monkeypatch.setattr(widening.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(bitweight.sim.SimulatorMissing, match="pip install 'bitweight"):
        bitweight.compile(catalog["systolic-os-mac-small"].with_(rows=3))
