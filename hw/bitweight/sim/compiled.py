"""A design's RTL as a function on NumPy arrays."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bitweight._check import check_int
from bitweight.arith import ENCODINGS
from bitweight.catalog import find_design
from bitweight.design import Design
from bitweight.emit import Emission, emit
from bitweight.notation import wrap as wrapped
from bitweight.sim.arguments import check_operands, check_stalls
from bitweight.sim.cache import Cache
from bitweight.sim.chunks import Chunk, cut, reduction_blocks
from bitweight.sim.installation import SimulationError
from bitweight.sim.model import TRACES, build_program
from bitweight.sim.program import Simulation, Status
from bitweight.sim.statistics import GemmStats
from bitweight.stats.digits import digit_statistics

__all__ = ["CompiledDesign", "compile"]

ProgressHook = Callable[[int, int], None]
"""Called with the result elements that are complete and their total."""

_CYCLES = 1 << 14
"""Of one run of the model, after which progress and hangs are looked at."""

_HUNG = 1 << 17
"""Clock cycles in which nothing moves, after which the design is taken to hang."""


def compile(design: str | Design, *, cache: Cache | None = None, **changes: Any) -> CompiledDesign:
    """Compile a design's RTL to a function on NumPy arrays.

    Parameters
    ----------
    design
        A name of the catalog, or a design.
    cache
        Where built models are kept; by default the user's cache folder, or that which the
        environment variable ``BITWEIGHT_CACHE`` names.
    **changes
        Parameters of the design that are to be others, as `Design.with_` takes them.

    Returns
    -------
    CompiledDesign
        The model is built, or was found in the cache.

    Raises
    ------
    TypeError, ValueError
        If there is no such design, or a parameter is not allowed.
    SimulatorMissing
        If Verilator or g++ is not installed.
    """
    if not isinstance(design, (str, Design)):
        raise TypeError(f"design must be a name of the catalog or a Design, not {design!r}")
    chosen = find_design(design) if isinstance(design, str) else design
    return CompiledDesign(chosen.with_(**changes) if changes else chosen, cache=cache)


class CompiledDesign:
    """The simulated RTL of a design; see :func:`compile`.

    Every product runs on a model of its own, fresh from its reset, so that products of several
    threads do not meet.

    Parameters
    ----------
    design
        What is simulated.
    emission
        Its Verilog with top and manifest; `emit(design)` by default.
    cache
        Where built models are kept.

    Attributes
    ----------
    design, emission
        As given.
    program
        The file of the model.
    """

    def __init__(
        self, design: Design, *, emission: Emission | None = None, cache: Cache | None = None
    ) -> None:
        self.design = design
        self.emission = emit(design) if emission is None else emission
        self._cache = cache
        self.program = build_program(self.emission, cache=cache)

    def __repr__(self) -> str:
        return f"CompiledDesign({self.design.name!r})"

    def gemm(
        self,
        A: np.ndarray,
        B: np.ndarray,
        *,
        wrap: bool = False,
        stalls: float | Mapping[str, float] = 0.0,
        seed: int = 0,
        trace: Path | str | None = None,
        out: np.ndarray | None = None,
        progress: ProgressHook | None = None,
        patience: float = 300.0,
    ) -> tuple[np.ndarray, GemmStats]:
        """Return ``A @ B`` as the simulated hardware computes it, and what it took.

        Parameters
        ----------
        A, B
            Integer matrices [M, K] and [K, N] of any size, within the operand ranges. They may be
            mapped from files: they are read a few tiles at a time.
        wrap
            Where K is beyond `Design.max_k`: reduce it in one piece, with sums modulo
            ``2**acc``, as `Design.reference` does with `wrap`. Otherwise K is cut into blocks of
            at most `max_k`, whose sums are added in 64 bits, and a sum beyond the accumulator's
            range is an error: C is either exact or not returned.
        stalls
            Probability with which a beat is held up in a cycle, from 0 to below 1: one for all
            streams, or by the names ``a``, ``b``, ``c``.
        seed
            Of the stalls.
        trace
            File for the waveforms, whose name ends in ``.fst`` or ``.vcd``. It takes a model of
            its own, and grows with every cycle.
        out
            Matrix [M, N] that takes the results, such as one that is mapped to a file.
        progress
            Called with the result elements that are complete and their total.
        patience
            Seconds that a few clock cycles may take before the model counts as hung.

        Returns
        -------
        C : numpy.ndarray
            int32 [M, N] for accumulators of up to 32 bits, else int64, or `out`.
        stats : GemmStats
            Cycles, tiles, utilisation, stalls, digits.

        Raises
        ------
        TypeError, ValueError
            For arguments of the wrong kind, shape or range; also where an exact sum of several
            K-blocks does not fit into the accumulator.
        SimulationError
            If the design hangs or breaks a rule of its streams, or its model crashes.
        """
        check_operands(A, B)
        chances = check_stalls(stalls)
        seed = check_int("seed", seed, 0)
        dtype = np.dtype(np.int32 if self.design.acc <= 32 else np.int64)
        shape = (A.shape[0], B.shape[1])
        if out is None:
            out = np.empty(shape, dtype)
        elif not isinstance(out, np.ndarray) or out.shape != shape or out.dtype != dtype:
            found = (out.shape, str(out.dtype)) if isinstance(out, np.ndarray) else type(out)
            raise ValueError(f"out must be a matrix {shape} of {dtype}, not {found!r}")
        if not (isinstance(patience, (int, float)) and 0 < patience < float("inf")):
            raise ValueError(f"patience must be a number of seconds above 0, not {patience!r}")
        program, file = self._program(trace)
        started = time.perf_counter()
        with Simulation(program, file, patience) as simulation:
            run = _Run(self.design, simulation, A, B, out, wrap=wrap)
            simulation.stall(chances, seed)
            run.finish(progress)
        return out, run.stats(chances, time.perf_counter() - started)

    def _program(self, trace: Path | str | None) -> tuple[Path, Path | None]:
        """Return the model for a product, and the file of its trace."""
        if trace is None:
            return self.program, None
        file = Path(trace)
        if file.suffix[1:] not in TRACES:
            endings = " or ".join(f".{name}" for name in TRACES)
            raise ValueError(
                f"trace must be a file name that ends in {endings}, not {str(trace)!r}"
            )
        if not file.parent.is_dir():
            raise ValueError(f"trace must be in a folder that exists, not {str(trace)!r}")
        return build_program(self.emission, file.suffix[1:], self._cache), file


class _Run:
    """One product under way."""

    def __init__(
        self,
        design: Design,
        simulation: Simulation,
        A: np.ndarray,
        B: np.ndarray,
        out: np.ndarray,
        *,
        wrap: bool,
    ) -> None:
        self.design, self.simulation = design, simulation
        self.A, self.B, self.out, self.wrap = A, B, out, wrap
        (self.M, self.K), self.N = A.shape, B.shape[1]
        self.blocks = reduction_blocks(design, self.K, wrap=wrap)
        self.nonzero = self.tiles = 0
        self.coming = cut(design, self.M, self.K, self.N, wrap=wrap)
        self.queues: dict[str, deque[tuple[np.ndarray, np.ndarray]]] = {"a": deque(), "b": deque()}
        self.sent: deque[Chunk] = deque()
        self.partial = np.zeros((1, 1), np.int64)  # sums of the blocks of k so far

    def finish(self, progress: ProgressHook | None) -> None:
        """Send all chunks and collect their results."""
        total, done = self.M * self.N * len(self.blocks), 0
        self._pack()
        self._offer("a")
        self._offer("b")
        while self.sent:
            chunk = self.sent[0]
            data, last = self._collect(chunk)
            while True:
                status = self.simulation.run(_CYCLES)
                if status == Status.FULL:
                    break
                if status == Status.WANTS_A:
                    self._offer("a")
                elif status == Status.WANTS_B:
                    self._offer("b")
                elif self.simulation.reply.idle >= _HUNG:
                    raise SimulationError(
                        "silent",
                        f"{self.design.name} hangs: nothing moved for "
                        f"{self.simulation.reply.idle} clock cycles, up to cycle "
                        f"{self.simulation.reply.cycle}",
                    )
            self._store(chunk, data, last)
            self.sent.popleft()
            done += (chunk.rows.stop - chunk.rows.start) * (chunk.cols.stop - chunk.cols.start)
            if progress is not None:
                progress(done // len(self.blocks), total // len(self.blocks))
            if not self.sent:
                self._pack()

    def _pack(self) -> bool:
        """Make the beats of the next chunk; tell whether there was one."""
        chunk = next(self.coming, None)
        if chunk is None:
            return False
        A = np.asarray(self.A[chunk.rows, chunk.depth])
        B = np.asarray(self.B[chunk.depth, chunk.cols])
        packed = self.design.pack(A, B, wrap=self.wrap)
        for name, beats in (("a", packed.a), ("b", packed.b)):
            data = np.ascontiguousarray(beats.data, dtype=np.int16)
            self.queues[name].append((data, np.ascontiguousarray(beats.last, dtype=np.bool_)))
        self.sent.append(chunk)
        if chunk.cols.start == 0:
            encoding = ENCODINGS[self.encoding]
            self.nonzero += int(digit_statistics(A, encoding, self.design.a).by_weight.sum())
        return True

    @property
    def encoding(self) -> str:
        return self.design.array.own_encoding or self.design.encoding

    def _offer(self, name: str) -> None:
        """Give the model the next beats of a stream, or tell it that there are no more."""
        if self.queues[name] or self._pack():
            self.simulation.offer(name, *self.queues[name].popleft())
        else:
            self.simulation.finish(name)

    def _collect(self, chunk: Chunk) -> tuple[np.ndarray, np.ndarray]:
        rows, cols = self._size(chunk)
        beats = self.design.output_beats(rows, cols)
        data = np.empty((beats, self.design.streams["c"].lanes), np.int64)
        last = np.empty(beats, np.bool_)
        self.simulation.collect(data, last)
        return data, last

    @staticmethod
    def _size(chunk: Chunk) -> tuple[int, int]:
        return chunk.rows.stop - chunk.rows.start, chunk.cols.stop - chunk.cols.start

    def _store(self, chunk: Chunk, data: np.ndarray, last: np.ndarray) -> None:
        """Put the results of a chunk where they belong."""
        rows, cols = self._size(chunk)
        if (last != self.design.output_last(rows, cols)).any():
            raise SimulationError(
                "protocol", f"{self.design.name}: last of c is wrong in a result of {rows} × {cols}"
            )
        self.tiles += int(last.sum())
        C = self.design.unpack(data, rows, cols)
        if len(self.blocks) > 1:
            # The blocks of the same rows and columns follow each other.
            if chunk.depth.start:
                self.partial = self.partial + C
            else:
                self.partial = C.astype(np.int64)
            if chunk.depth.stop < self.K:
                return
            C = self._exact(self.partial)
        self.out[chunk.rows, chunk.cols] = C

    def _exact(self, C: np.ndarray) -> np.ndarray:
        wrong = np.argwhere(wrapped(C, self.design.acc) != C)
        if len(wrong):
            value = int(C[tuple(wrong[0])])
            raise ValueError(
                f"sums must fit into {self.design.acc} accumulator bits (unless wrapping is asked "
                f"for), not {value!r}"
            )
        return C

    def stats(self, chances: Mapping[str, float], seconds: float) -> GemmStats:
        reply = self.simulation.reply
        return GemmStats(
            m=self.M,
            k=self.K,
            n=self.N,
            cycles=reply.final - reply.first + 1,
            tiles=self.tiles,
            k_blocks=len(self.blocks),
            lanes=self.design.lanes,
            stalls={name: getattr(reply, name).cycles for name in chances},
            waits={name: getattr(reply, name).waits for name in ("a", "b")},
            digits=self.nonzero / (self.M * self.K),
            encoding=self.encoding,
            seconds=seconds,
        )
