"""Compiled designs against NumPy: every small design of the catalog, any size, with stalls."""

from __future__ import annotations

import re
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

import bitweight
from bitweight import MAC, BitSlice, Design, SystolicOS, catalog
from bitweight.arith import ENCODINGS
from bitweight.emit import emit
from bitweight.sim import CompiledDesign, SimulationError, chunks
from bitweight.stats import digit_statistics

SMALL = [name for name in catalog if name.endswith("-small")]
NARROW = Design(SystolicOS(2, 3), MAC, a=4, b=4, acc=12)
"""Its accumulators hold 31 products."""


def operands(rng, design, M, K, N):
    A = rng.integers(design.a.min, design.a.max + 1, (M, K), dtype=np.int16)
    B = rng.integers(design.b.min, design.b.max + 1, (K, N), dtype=np.int8)
    return A, B


@pytest.mark.parametrize("name", SMALL)
def test_small_designs_agree_with_numpy(name, rng, monkeypatch):
    rtl = bitweight.compile(name)
    design = rtl.design
    assert design == catalog[name]
    for size in ((1, 1, 1), (4, 3, 5), (13, 29, 7)):
        A, B = operands(rng, design, *size)
        C, stats = rtl.gemm(A, B)
        assert C.dtype == np.int32
        np.testing.assert_array_equal(C, A.astype(np.int64) @ B)
        assert stats.cycles == design.cycles(A, B)
        assert stats.tiles == design.output_last(size[0], size[2]).sum()
        assert stats.utilisation == pytest.approx(np.prod(size) / stats.cycles / design.lanes)
        assert set(stats.stalls.values()) == {0}
        encoding = ENCODINGS[stats.encoding]
        assert stats.digits == pytest.approx(digit_statistics(A, encoding, design.a).mean)
    slowed, slow = rtl.gemm(A, B, stalls={"a": 0.3, "b": 0.2, "c": 0.5}, seed=1)
    np.testing.assert_array_equal(slowed, C)
    assert min(slow.stalls.values()) > 0
    # Columns that drift apart may, held up at the right moment, even collide less often.
    drifting = isinstance(design.array, BitSlice) and design.array.cols > 1
    assert slow.cycles >= stats.cycles * (0.9 if drifting else 1)
    # Queues hide a few stalls, but not that a side stands still nearly always.
    crawled, crawl = rtl.gemm(A, B, stalls=dict.fromkeys("abc", 0.99), seed=1)
    np.testing.assert_array_equal(crawled, C)
    assert crawl.cycles > 2 * stats.cycles
    # Tile by tile: the same beats, cut into pieces.
    monkeypatch.setattr(chunks, "BEATS", 8)
    pieces, cut = rtl.gemm(A, B)
    np.testing.assert_array_equal(pieces, C)
    assert cut.cycles == stats.cycles and cut.tiles == stats.tiles


def test_parameters_are_keywords():
    rtl = bitweight.compile("systolic-os-mac-small", rows=2, cols=3, a=4, b=4, acc=12)
    assert rtl.design == NARROW and rtl.emission.manifest["design"]["rows"] == 2
    assert bitweight.compile(NARROW).program == bitweight.compile(NARROW).program


@pytest.mark.parametrize("extreme", ["min", "max"])
def test_corner_operands(extreme):
    rtl = bitweight.compile(NARROW)
    a, b = getattr(NARROW.a, extreme), getattr(NARROW.b, extreme)
    A, B = np.full((5, NARROW.max_k), a), np.full((NARROW.max_k, 4), b)
    for other in (B, np.full_like(B, NARROW.b.min)):
        C, _ = rtl.gemm(A, other)
        np.testing.assert_array_equal(C, A @ other)


def test_more_k_than_accumulators_hold(rng):
    rtl = bitweight.compile(NARROW)
    K = 4 * NARROW.max_k + 5
    A, B = rng.integers(-3, 4, (5, K)), rng.integers(-3, 4, (K, 7))
    C, stats = rtl.gemm(A, B)
    np.testing.assert_array_equal(C, A @ B)
    assert stats.k_blocks == 5 and stats.tiles == 5 * 9
    # In one piece and in blocks alike, wherever nothing wraps.
    wrapped, whole = rtl.gemm(A, B, wrap=True)
    np.testing.assert_array_equal(wrapped, C)
    assert whole.k_blocks == 1 and whole.tiles == 9

    A[:], B[:] = NARROW.a.min, NARROW.b.min
    with pytest.raises(ValueError, match=r"sums must fit into 12 accumulator bits .*, not 8256"):
        rtl.gemm(A, B)
    C, _ = rtl.gemm(A, B, wrap=True)
    np.testing.assert_array_equal(C, NARROW.reference(A, B, wrap=True))
    assert C[0, 0] == (64 * K + 2048) % 4096 - 2048


def test_stalls_are_seeded_and_counted_by_stream(rng):
    rtl = bitweight.compile(NARROW)
    A, B = operands(rng, NARROW, 20, 31, 10)
    free = rtl.gemm(A, B)[1]
    same = [rtl.gemm(A, B, stalls=0.4, seed=7)[1] for _ in range(2)]
    assert same[0].cycles == same[1].cycles and same[0].stalls == same[1].stalls
    assert rtl.gemm(A, B, stalls=0.4, seed=8)[1].stalls != same[0].stalls
    for stream in "abc":
        C, stats = rtl.gemm(A, B, stalls={stream: 0.5}, seed=3)
        np.testing.assert_array_equal(C, A @ B)
        assert stats.stalls[stream] > 0 and sum(stats.stalls.values()) == stats.stalls[stream]
        assert stats.cycles > free.cycles
    # Each of the beats is held up for one cycle on average when the chance is a half.
    beats = len(NARROW.pack(A, B).a.last)
    stalls = rtl.gemm(A, B, stalls={"a": 0.5})[1].stalls["a"]
    assert 0.7 * beats < stalls < 1.3 * beats


@pytest.mark.parametrize("ending", ["vcd", "fst"])
def test_a_trace_is_written(ending, tmp_path, rng):
    rtl = bitweight.compile(NARROW)
    A, B = operands(rng, NARROW, 3, 4, 5)
    path = tmp_path / f"waves.{ending}"
    C, stats = rtl.gemm(A, B, trace=path)
    np.testing.assert_array_equal(C, A @ B)
    assert stats.cycles == NARROW.cycles(A, B)
    content = path.read_bytes()
    if ending == "vcd":
        times = [int(time) for time in re.findall(rb"^#(\d+)$", content, re.MULTILINE)]
        assert times[-1] >= 2 * stats.cycles
        assert b"a__payload" in content and b"drain_0" in content
    else:
        assert len(content) > 300 and content[:1] == b"\0"  # a header block


def broken(old: str, new: str) -> CompiledDesign:
    """Return the narrow design with its Verilog changed."""
    emission = emit(NARROW)
    text, count = re.subn(old, new, emission.verilog, count=1)
    assert count == 1
    return CompiledDesign(NARROW, emission=replace(emission, verilog=text))


def test_a_changed_gate_changes_the_result(rng):
    A, B = operands(rng, NARROW, 6, 9, 7)
    rtl = broken(r"(= \$signed\(\S+ \)) \+ ", r"\1 - ")
    assert (rtl.gemm(A, B)[0] != A @ B).any()


def test_a_design_that_hangs_is_ended(monkeypatch, rng):
    monkeypatch.setattr("bitweight.sim.compiled._HUNG", 1000)
    rtl = broken(r"assign a__ready = [^;]*;", "assign a__ready = 1'h0;")
    with pytest.raises(SimulationError, match="hangs: nothing moved for") as caught:
        rtl.gemm(*operands(rng, NARROW, 2, 2, 2))
    assert caught.value.category == "silent"


def test_a_broken_stream_rule_is_named(rng):
    A, B = operands(rng, NARROW, 6, 9, 7)
    rtl = broken(
        r"assign out_valid = (full \| in_valid);", r"assign out_valid = (\1) & (out_ready | ~full);"
    )
    np.testing.assert_array_equal(rtl.gemm(A, B)[0], A @ B)  # without stalls nothing shows
    with pytest.raises(SimulationError, match="valid of c fell before the beat was taken in clock"):
        rtl.gemm(A, B, stalls={"c": 0.5})
    rtl = broken(r"(\.out_payload)\(c__payload\)", r"\1(masked)")
    with pytest.raises(SimulationError, match="last of c is wrong in a result of 6 × 7"):
        rtl.gemm(A, B)


def test_memory_does_not_grow_with_m(monkeypatch):
    monkeypatch.setattr(chunks, "BEATS", 256)
    rtl = bitweight.compile(NARROW)
    B = np.ones((8, 6), np.int8)
    peaks = []
    for M in (500, 5000):
        A = np.broadcast_to(np.int8(3), (M, 8))
        out = np.zeros((M, 6), np.int32)
        tracemalloc.start()
        C, _ = rtl.gemm(A, B, out=out)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert C is out and (out == 24).all()
    assert peaks[1] < 2 * peaks[0] < 300_000


def test_progress_reaches_the_total(monkeypatch, rng):
    monkeypatch.setattr(chunks, "BEATS", 16)
    seen = []
    A, B = operands(rng, NARROW, 7, 70, 5)
    bitweight.compile(NARROW).gemm(
        A % 2, B % 2, progress=lambda done, total: seen.append((done, total))
    )
    assert seen == sorted(seen) and seen[-1] == (35, 35) and len(seen) > 5


A, B = np.ones((3, 4), np.int8), np.ones((4, 2), np.int8)
BAD = {
    "list": (([[1]], B), {}, TypeError, "A must be a NumPy array of integers, not 'list'"),
    "float": ((A, B * 1.0), {}, TypeError, "B must be .* integers, not 'float64'"),
    "vector": ((A[0], B), {}, ValueError, r"A must be a matrix .*, not \(4,\)"),
    "empty": ((A[:0], B), {}, ValueError, r"A must be a matrix .*, not \(0, 4\)"),
    "shapes": ((A, B[1:]), {}, ValueError, "B must have 4 rows, as A has columns, not 3"),
    "range": ((A * 9, B), {}, ValueError, "elements of A must be from -8 to 7, not 9"),
    "range of B": ((A, B * -9), {}, ValueError, "elements of B must be from -8 to 7, not -9"),
    "stall": ((A, B), {"stalls": 1.0}, ValueError, "stalls of a .* below 1, not 1.0"),
    "stalls": ((A, B), {"stalls": "x"}, TypeError, "stalls of a .*, not 'x'"),
    "stream": ((A, B), {"stalls": {"d": 0.1}}, ValueError, "stream of stalls .*, not 'd'"),
    "seed": ((A, B), {"seed": -1}, ValueError, "seed must be .* at least 0, not -1"),
    "trace": ((A, B), {"trace": "x.txt"}, ValueError, r"trace .* \.fst or \.vcd, not 'x.txt'"),
    "folder": ((A, B), {"trace": "/no/x.vcd"}, ValueError, "trace .* exists, not '/no/x.vcd'"),
    "out": ((A, B), {"out": np.zeros((3, 2))}, ValueError, r"out must be .* int32, not .*float64"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arguments(case):
    (A, B), options, error, message = BAD[case]
    with pytest.raises(error, match=message):
        bitweight.compile(NARROW).gemm(A, B, **options)


def test_bad_designs():
    with pytest.raises(ValueError, match=r"design must be one of .*, not 'nope'"):
        bitweight.compile("nope")
    with pytest.raises(TypeError, match=r"design must be a name .* or a Design, not 3"):
        bitweight.compile(3)
    with pytest.raises(ValueError, match=r"rows of systolic-os .*, not 0"):
        bitweight.compile("systolic-os-mac", rows=0)
