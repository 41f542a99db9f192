"""The cocotb module behind `run_gemms`: beats from a file in, results to a file out.

It judges nothing but the stream rules, and that beats keep moving.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cocotb
import numpy as np

from bitweight_verif.beats import StreamShape
from bitweight_verif.streams import (
    CycleLimitError,
    Lockstep,
    StreamMonitor,
    StreamPort,
    StreamSink,
    StreamSource,
)

_HUNG_AFTER = 100_000
"""Clock cycles in which no stream moves."""


@cocotb.test()
async def replay(dut: Any) -> None:
    """Send all operands without a stall, back to back, and keep what comes out."""
    spec = json.loads(Path(os.environ["BITWEIGHT_BENCH"]).read_text(encoding="utf-8"))
    shapes = {name: StreamShape.from_manifest(spec["manifest"], name) for name in "abc"}
    total = int(spec["results_expected"])
    a = StreamSource(StreamPort(dut, "a"))
    b = StreamSource(StreamPort(dut, "b"))
    c = StreamSink(StreamPort(dut, "c"))

    def beats(name: str) -> Iterator[str]:
        with np.load(spec["beats"]) as file:
            yield from shapes[name].encode(file[f"{name}_data"], file[f"{name}_last"])

    with Path(spec["progress"]).open("w", encoding="ascii", buffering=1) as progress:
        steps = Lockstep(
            dut.clk,
            dut.rst,
            [a, b, c, StreamMonitor(c.port)],
            lambda _cycle: progress.write(f"{len(c.beats)} {total}\n"),
        )
        await steps.power_up()
        a.send(beats("a"))
        b.send(beats("b"))
        while len(c.beats) < total:
            moved = len(a.cycles) + len(b.cycles) + len(c.beats)
            try:
                await steps.until(lambda: len(c.beats) >= total, limit=_HUNG_AFTER)
            except CycleLimitError:
                if moved == len(a.cycles) + len(b.cycles) + len(c.beats):
                    raise AssertionError(
                        f"hung: no stream moved for {_HUNG_AFTER} clock cycles "
                        f"({len(c.beats)} of {total} results)"
                    ) from None
        progress.write(f"{total} {total}\n")
    data, _ = shapes["c"].decode(c.beats)
    first = min(a.cycles[0], b.cycles[0])
    np.savez(spec["output"], data=data, cycles=np.array(c.cycles) - first + 1)
