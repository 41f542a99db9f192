"""The conformance bench: one cocotb test for every design, through the port contract alone.

It reads a JSON file named by the environment variable `BITWEIGHT_BENCH`, runs the cases listed
there, and appends one JSON line for each to the results file, so that a crash leaves what was
known before it. It is started by `bitweight_verif.verify`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cocotb
import numpy as np

from bitweight import Design
from bitweight_verif.beats import StreamShape, UnknownBitsError
from bitweight_verif.cases import STALLS, Case, Gemm, gemms, size_text
from bitweight_verif.recorder import RECORD, Recorder
from bitweight_verif.streams import (
    CycleLimitError,
    Lockstep,
    ProtocolError,
    StreamMonitor,
    StreamPort,
    StreamSink,
    StreamSource,
)

SPEC_VARIABLE = "BITWEIGHT_BENCH"
_RESETS = 6
_RESET_STALLS = ((0.0, 0.0, 0.0), (0.0, 0.0, 0.7), (0.3, 0.3, 0.7))
"""Probabilities of stalls on a, b and c before a reset."""


class CaseError(AssertionError):
    """A case found the design wrong.

    Parameters
    ----------
    category : str
        `element`, `last`, `count`, `extra`, `cycles`, `protocol` or `timeout`.
    message : str
        What was expected and what came.
    """

    def __init__(self, category: str, message: str) -> None:
        super().__init__(message)
        self.category = category


class Progress:
    """Tells the waiting process that the simulation is alive, and how far it is."""

    def __init__(self, path: str, total: int) -> None:
        self._file = Path(path).open("w", encoding="ascii", buffering=1)  # noqa: SIM115
        self.done = 0
        self.total = total

    def beat(self, _cycle: int = 0) -> None:
        """Write the state of things."""
        self._file.write(f"{self.done} {self.total}\n")


class Bench:
    """Drivers around one design, and the checks that all cases share."""

    def __init__(self, dut: Any, design: Design, manifest: dict[str, Any], seed: int) -> None:
        self.dut = dut
        self.design = design
        self.seed = seed
        self.running = False
        self.ports = {name: StreamPort(dut, name) for name in "abc"}
        self.shapes = {name: StreamShape.from_manifest(manifest, name) for name in "abc"}
        for name, shape in self.shapes.items():
            if shape.width != self.ports[name].width:
                raise ValueError(
                    f"the manifest gives stream {name} {shape.width} bits, "
                    f"not {self.ports[name].width!r}"
                )
        one = np.ones((1, 1), dtype=np.int64)
        self.quiet = design.cycles(one, one) + 8
        self.heartbeat: Progress | None = None
        self.recorder: Recorder | None = None

    async def start(self, case: Case) -> None:
        """Make drivers for the case and reset the design."""
        stalls, shy = (0.0, 0.0, 0.0), False
        family, _, name = case.kind.partition("-")
        if family == "stall":
            stalls, shy = STALLS[name], name == "shy"
        rng = case.rng(self.seed + 1)
        seeds = [int(seed) for seed in rng.integers(1 << 31, size=3)]
        self.a = StreamSource(self.ports["a"], stalls[0], seeds[0])
        self.b = StreamSource(self.ports["b"], stalls[1], seeds[1])
        self.c = StreamSink(self.ports["c"], stalls[2], seeds[2], shy)
        if self.recorder is not None:
            self.recorder.begin(case.kind, self.a, self.b, self.c)
        self.slowness = sum(1 / (1 - stall) for stall in stalls) + shy
        self.steps = Lockstep(
            self.dut.clk,
            self.dut.rst,
            [self.a, self.b, self.c, StreamMonitor(self.ports["c"])],
            self.heartbeat.beat if self.heartbeat else None,
            self.recorder,
        )
        if self.running:
            await self.steps.reset()
        else:
            self.running = True
            await self.steps.power_up()

    def model_cycles(self, gemm: Gemm) -> int:
        """Give the clock cycles that the model says."""
        return int(self.design.cycles(gemm.A, gemm.B, wrap=gemm.wrap))

    def send(self, sent: Sequence[Gemm]) -> list[int]:
        """Queue GEMMs back to back; give the number of beats that a, b and c then carry."""
        counts = [0, 0, 0]
        for gemm in sent:
            packed = self.design.pack(gemm.A, gemm.B, wrap=gemm.wrap)
            self.a.send(self.shapes["a"].encode(packed.a.data, packed.a.last))
            self.b.send(self.shapes["b"].encode(packed.b.data, packed.b.last))
            m, _, n = gemm.size
            counts[0] += len(packed.a.last)
            counts[1] += len(packed.b.last)
            counts[2] += self.design.output_beats(m, n)
        return counts

    async def run(self, sent: Sequence[Gemm]) -> tuple[int, int]:
        """Run GEMMs back to back and check all that comes out.

        Returns
        -------
        cycles : int
            From the first operand beat taken to the last result beat taken, both included.
        expected : int
            The sum of `design.cycles` of each.
        """
        for member in (self.a, self.b, self.c):
            member.cycles.clear()
        self.c.beats.clear()
        expected = sum(self.model_cycles(gemm) for gemm in sent)
        counts = self.send(sent)
        limit = int(self.slowness * (2 * expected + max(counts) + 64))
        try:
            await self.steps.until(lambda: len(self.c.beats) >= counts[2], limit)
        except CycleLimitError as error:
            moved = (len(self.a.cycles), len(self.b.cycles), len(self.c.beats))
            detail = ", ".join(
                f"{name} {n} of {of}" for name, n, of in zip("abc", moved, counts, strict=True)
            )
            raise CaseError("timeout", f"{error} (beats moved: {detail})") from None
        if not (self.a.cycles and self.b.cycles):
            raise CaseError("extra", f"{counts[2]} result beats before any operand was taken")
        cycles = self.c.cycles[-1] - min(self.a.cycles[0], self.b.cycles[0]) + 1
        await self.steps.steps(self.quiet)
        self.check(sent, counts)
        return cycles, expected

    def check(self, sent: Sequence[Gemm], counts: Sequence[int]) -> None:
        """Compare results, flags and numbers of beats with the model."""
        if len(self.c.beats) > counts[2]:
            extra = len(self.c.beats) - counts[2]
            raise CaseError("extra", f"{extra} result beats more than the {counts[2]} expected")
        data, last = self.shapes["c"].decode(self.c.beats)
        position = 0
        failure: CaseError | None = None
        for index, gemm in enumerate(sent):
            m, _, n = gemm.size
            end = position + self.design.output_beats(m, n)
            which = f"GEMM {index + 1} of {len(sent)} ({size_text(gemm.size)})"
            got = np.asarray(self.design.unpack(data[position:end], m, n))
            want = np.asarray(self.design.reference(gemm.A, gemm.B, wrap=gemm.wrap))
            wrong = np.argwhere(got != want)
            if len(wrong):
                row, col = (int(i) for i in wrong[0])
                raise CaseError(
                    "element",
                    f"{which}: element ({row}, {col}): expected {want[row, col]}, "
                    f"got {got[row, col]} ({len(wrong)} of {want.size} wrong)",
                )
            flags = np.asarray(self.design.output_last(m, n))
            misflagged = np.flatnonzero(last[position:end] != flags)
            if len(misflagged) and failure is None:
                beat = int(misflagged[0])
                failure = CaseError(
                    "last",
                    f"{which}: last of result beat {beat}: expected {int(flags[beat])}, "
                    f"got {int(last[position + beat])}",
                )
            position = end
        if failure is not None:
            raise failure
        moved = (len(self.a.cycles), len(self.b.cycles))
        if moved != tuple(counts[:2]):
            raise CaseError(
                "count", f"operand beats taken: expected {tuple(counts[:2])}, got {moved}"
            )

    async def exact(self, gemm: Gemm) -> int:
        """Run one GEMM without stalls; its cycles must be those of the model."""
        cycles, expected = await self.run([gemm])
        if cycles != expected:
            raise CaseError(
                "cycles",
                f"{size_text(gemm.size)}: expected {expected} clock cycles, got {cycles}",
            )
        return cycles

    async def case(self, case: Case) -> int:
        """Run one case.

        Returns
        -------
        int
            Clock cycles of its first run.
        """
        family = case.kind.partition("-")[0]
        rng = case.rng(self.seed)
        todo = gemms(case, self.design, rng)
        await self.start(case)
        if family == "stall":
            return (await self.run(todo))[0]
        if family == "stream":
            cycles, separate = await self.run(todo)
            if cycles > separate:
                raise CaseError(
                    "cycles",
                    f"{len(todo)} GEMMs back to back: expected at most the {separate} clock "
                    f"cycles that they take one by one, got {cycles}",
                )
            return cycles
        if family == "reset":
            return await self.interrupted(todo, rng)
        each = [await self.exact(gemm) for gemm in todo]
        return each[0]

    async def interrupted(self, todo: Sequence[Gemm], rng: np.random.Generator) -> int:
        """Reset while a GEMM is under way; the next one must come out clean."""
        broken, clean = todo
        whole = self.model_cycles(broken)
        cycles = 0
        members: tuple[StreamSource | StreamSink, ...] = (self.a, self.b, self.c)
        for attempt in range(_RESETS):
            self.send([broken, broken])
            # Free, with results refused, with stalls everywhere: other registers are full.
            for member, stall in zip(members, _RESET_STALLS[attempt % 3], strict=True):
                member.stall = stall
            await self.steps.steps(int(rng.integers(1, 2 * whole)))
            await self.steps.reset(int(rng.integers(1, 3)))
            for member in members:
                member.stall = 0.0
            await self.steps.steps(int(rng.integers(0, 2)) * self.quiet)
            if self.c.beats:
                raise CaseError(
                    "extra", f"{len(self.c.beats)} result beats of a GEMM from before the reset"
                )
            cycles = await self.exact(clean)
        return cycles


def _judge(error: Exception) -> str:
    if isinstance(error, CaseError):
        return error.category
    if isinstance(error, (ProtocolError, UnknownBitsError)):
        return "protocol"
    raise error


@cocotb.test()
async def conformance(dut: Any) -> None:
    """Run every case of the specification."""
    spec = json.loads(Path(os.environ[SPEC_VARIABLE]).read_text(encoding="utf-8"))
    cases = [Case.from_dict(entry) for entry in spec["cases"]]
    bench = Bench(dut, Design.from_dict(spec["design"]), spec["manifest"], spec["seed"])
    bench.heartbeat = Progress(spec["progress"], len(cases))
    if spec.get("record"):
        bench.recorder = Recorder()
    failures = 0
    with Path(spec["results"]).open("w", encoding="utf-8", buffering=1) as results:
        for case in cases:
            results.write(json.dumps({"started": case.to_dict()}) + "\n")
            outcome: dict[str, Any] = {**case.to_dict(), "category": "passed", "message": ""}
            try:
                outcome["cycles"] = await bench.case(case)
            except Exception as error:
                outcome["category"] = _judge(error)
                outcome["message"] = str(error)
                failures += 1
            results.write(json.dumps(outcome) + "\n")
            bench.heartbeat.done += 1
            bench.heartbeat.beat()
            if failures >= spec["max_failures"]:
                break
    if bench.recorder is not None:
        bench.recorder.save(Path(spec["results"]).with_name(RECORD))
    assert not failures, f"{failures} cases failed"
