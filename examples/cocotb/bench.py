"""A testbench of one's own: products of three sizes, with stalls, compared with the reference.

`StreamSource`, `StreamSink` and `StreamMonitor` drive, take and judge a stream; `Lockstep` walks
them through the clock cycles; `StreamShape` turns beats into the digits that ports take.
"""

import cocotb
import numpy as np

from bitweight import OPT4C, Column, Design
from bitweight_verif.beats import StreamShape
from bitweight_verif.streams import Lockstep, StreamMonitor, StreamPort, StreamSink, StreamSource

DESIGN = Design(Column(4, group=2, block=16), OPT4C, a=6, b=8, acc=24, name="sparse-gemm")
SHAPES = {name: StreamShape(one.lanes, one.bits) for name, one in DESIGN.streams.items()}


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.4])
async def products(dut, stall):
    """C is A @ B, bit for bit; without stalls in as many cycles as the model says."""
    a = StreamSource(StreamPort(dut, "a"), stall, seed=1)
    b = StreamSource(StreamPort(dut, "b"), stall, seed=2)
    c = StreamSink(StreamPort(dut, "c"), stall, seed=3)
    steps = Lockstep(dut.clk, dut.rst, [a, b, c, StreamMonitor(c.port)])
    await steps.power_up()
    rng = np.random.default_rng(4)
    for m, k, n in [(1, 1, 1), (3, 20, 5), (4, 33, 8)]:
        A = rng.integers(DESIGN.a.min, DESIGN.a.max + 1, (m, k))
        B = rng.integers(DESIGN.b.min, DESIGN.b.max + 1, (k, n))
        packed = DESIGN.pack(A, B)
        for source, name, beats in ((a, "a", packed.a), (b, "b", packed.b)):
            source.cycles.clear()
            source.send(SHAPES[name].encode(beats.data, beats.last))
        c.beats.clear()
        c.cycles.clear()
        await steps.until(lambda m=m, n=n: len(c.beats) == DESIGN.output_beats(m, n), limit=10_000)
        data, last = SHAPES["c"].decode(c.beats)
        assert np.array_equal(DESIGN.unpack(data, m, n), DESIGN.reference(A, B))
        assert np.array_equal(last, DESIGN.output_last(m, n))
        if not stall:
            taken = c.cycles[-1] - min(a.cycles[0], b.cycles[0]) + 1
            assert taken == DESIGN.cycles(A, B), (taken, DESIGN.cycles(A, B))
