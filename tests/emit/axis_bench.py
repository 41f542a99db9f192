"""Run by cocotb: a design behind AXI4-Stream, driven and read by cocotbext-axi alone."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, Timer, with_timeout
from cocotbext.axi import AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource

from bitweight import Design


def to_bytes(data: np.ndarray, lane_bytes: int, spare: int) -> bytes:
    """Beats as bytes, lane 0 first; `spare` is what stands in the bits that a lane has too many."""
    return b"".join(
        ((int(value) & ~(-1 << (8 * lane_bytes))) ^ spare).to_bytes(lane_bytes, "little")
        for value in data.ravel()
    )


def from_bytes(data: bytes, lanes: int, lane_bytes: int) -> np.ndarray:
    values = [
        int.from_bytes(data[at : at + lane_bytes], "little", signed=True)
        for at in range(0, len(data), lane_bytes)
    ]
    return np.array(values, dtype=np.int64).reshape(-1, lanes)


def frames(beats, stream: dict, rng: random.Random):
    """One frame for each tile. Spare bits are random: the engine must not look at them."""
    ends = np.flatnonzero(beats.last) + 1
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        spare = rng.getrandbits(8 * stream["lane_bytes"]) >> stream["bits"] << stream["bits"]
        yield AxiStreamFrame(to_bytes(beats.data[start:end], stream["lane_bytes"], spare))


def pauses(rng: random.Random, share: float):
    while True:
        yield rng.random() < share


@cocotb.test()
async def products(dut):
    """Several products back to back, with pauses on every stream, and a reset in between."""
    spec = json.loads(Path(os.environ["AXIS_SPEC"]).read_text())
    design = Design.from_dict(spec["design"])
    streams = spec["wrapper"]["streams"]
    rng, draw = random.Random(spec["seed"]), np.random.default_rng(spec["seed"])
    dut.aresetn.value = 0
    cocotb.start_soon(Clock(dut.aclk, 10, "ns").start())
    ends = {}
    for prefix in streams:
        kind = AxiStreamSource if prefix.startswith("s_") else AxiStreamSink
        bus = AxiStreamBus.from_prefix(dut, prefix)
        ends[prefix] = kind(bus, dut.aclk, dut.aresetn, reset_active_level=False)
    a, b, c = (ends[name] for name in ("s_axis_a", "s_axis_b", "m_axis_c"))

    async def reset():
        dut.aresetn.value = 0
        await Timer(1, "ns")
        assert str(dut.m_axis_c_tvalid.value) == "0"
        for _ in range(2):
            await RisingEdge(dut.aclk)
        dut.aresetn.value = 1
        await RisingEdge(dut.aclk)

    await reset()
    for shares in spec["pauses"]:
        for end, share in zip((a, b, c), shares, strict=True):
            end.set_pause_generator(pauses(rng, share))
        for m, k, n in spec["sizes"]:
            A = draw.integers(design.a.min, design.a.max + 1, (m, k))
            B = draw.integers(design.b.min, design.b.max + 1, (k, n))
            packed = design.pack(A, B)
            for source, prefix, beats in ((a, "s_axis_a", packed.a), (b, "s_axis_b", packed.b)):
                for frame in frames(beats, streams[prefix], rng):
                    source.send_nowait(frame)
            result = streams["m_axis_c"]
            got, last = [], []
            while len(last) < design.output_beats(m, n):
                frame = await with_timeout(c.recv(compact=False), 1, "ms")
                got.append(from_bytes(bytes(frame.tdata), result["lanes"], result["lane_bytes"]))
                last += [False] * (len(got[-1]) - 1) + [True]
            # Whatever stands in the spare bits is more than the sign could be.
            half = 1 << (result["bits"] - 1)
            assert all((-half <= beat).all() and (beat < half).all() for beat in got)
            C = design.unpack(np.concatenate(got), m, n)
            assert np.array_equal(C, design.reference(A, B)), (m, k, n, shares)
            assert np.array_equal(last, design.output_last(m, n))
        await reset()
