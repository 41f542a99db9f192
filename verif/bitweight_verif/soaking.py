"""What the bench has not found gets a long soak: operands that the bench has no time for.

In the order of their cost: short products back to back at every pace; resets in the middle of one;
and reductions so long that sums reach every bit of the accumulator, and overflow it. Operands may
be offered during a reset, and some episodes begin with any values in all registers, as after
power-up. All results of the sound netlist are compared with NumPy: what differs from it is a fault
that a user could see.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from bitweight.synth import ToolError
from bitweight.synth.episodes import Episode, Soak
from bitweight.synth.faults import Fault
from bitweight.synth.gate_level import beat_bits, beat_values
from bitweight.synth.netlist import FlatNetlist
from bitweight_verif.cases import (
    CORNERS,
    Gemm,
    corner,
    default_sizes,
    nearby,
    over_blocks,
    random_gemm,
)

if TYPE_CHECKING:
    from bitweight import Design, Int

__all__ = ["LATE", "SOON", "soak"]

SOON = ("soak-short", "soak-reset")
LATE = ("soak-long",)
"""Kinds of episodes: what costs seconds, and what costs a minute or more."""

KINDS = (*SOON, *LATE)

_EPISODES = {"soak-short": 300, "soak-reset": 3000, "soak-long": 60}
_BACK_TO_BACK = 6
_POWER_UPS = 0.5
"""Of the episodes after an interrupted one: how many begin with any values in all registers."""

_BLOCKED = 0.3
"""Of those that are interrupted: how many have results that nobody takes."""

_PACES = (1.0, 1.0, 0.9, 0.5, 0.1)
_LONGEST = 220_000
"""Clock cycles of one reduction: with operands of 8 bits, those that overflow 32."""

_OVER = 2.0
_TURNS = 5
_STRAY = (0.05, 0.5)
"""Of long reductions: the longest, as a share of those that never overflow; how often they turn at
most; shares of operands that go another way, at first and later."""

_CYCLES = {"soak-short": 150_000, "soak-reset": 300_000, "soak-long": 1_500_000}
"""Of all episodes of a kind, after which no further one begins."""

Progress = Callable[[str, int, int], None]


def soak(
    design: Design,
    netlist: FlatNetlist,
    faults: Sequence[Fault],
    seed: int,
    kinds: Sequence[str] = KINDS,
    progress: Progress = lambda *_: None,
) -> tuple[list[str], int]:
    """Soak faulty copies of a netlist.

    Parameters
    ----------
    design : Design
        What the netlist is of.
    netlist : FlatNetlist
        The sound netlist.
    faults : sequence of dict
        Truth tables in place of those of some gates, for each copy.
    seed : int
        Of operands and stalls.
    kinds : sequence of str
        Which episodes, of those in `KINDS`.
    progress : callable, optional
        Called with the kind of episodes, how many are done, and of how many.

    Returns
    -------
    found : list of str
        For each fault the kind of the episode and the port that showed it, such as
        "soak-long c__payload"; empty where none did.
    cycles : int
        Clock cycles of all episodes.

    Raises
    ------
    ToolError
        The sound netlist computes something else than NumPy.
    """
    bath = Soak(netlist, faults, seed)
    found = [""] * len(faults)
    for kind in kinds:
        rng = np.random.default_rng([seed, zlib.crc32(kind.encode())])
        until = bath.cycles + _CYCLES[kind]
        for done in range(_EPISODES[kind]):
            if not bath.copies.left or bath.cycles >= until:
                break
            progress(kind, done, _EPISODES[kind])
            for gemms, episode in _episodes(kind, design, rng, len(netlist.flops)):
                beats = bath.run(episode)
                if len(beats) == episode.results:
                    _check(design, gemms, beats)
                elif bath.copies.left and not episode.interrupted:
                    raise ToolError(f"the netlist of {design.name} is wrong: it hangs")
            for at, shown in enumerate(bath.found()):
                if shown and not found[at]:
                    found[at] = f"{kind} {shown[1]}"
    return found, bath.cycles


def _episodes(
    kind: str, design: Design, rng: np.random.Generator, registers: int
) -> Iterator[tuple[list[Gemm], Episode]]:
    sizes = default_sizes(design, _lanes(design), int(rng.integers(1 << 31)))
    sizes += over_blocks(design, sizes[0])
    size = sizes[int(rng.integers(len(sizes)))]
    if kind == "soak-long":
        gemms = [_long(design, rng)]
        yield gemms, _episode(design, gemms, rng, (1.0, 1.0, 1.0))
        return
    gemms = [_short(design, nearby(design, size, rng), rng) for _ in range(_BACK_TO_BACK)]
    paces = _paces(rng)
    if kind == "soak-short":
        yield gemms, _episode(design, gemms, rng, paces)
        return
    spent = sum(design.cycles(one.A, one.B) for one in gemms)
    if rng.random() < _BLOCKED:
        paces = (*paces[:2], 0.0)
    yield gemms, _episode(design, gemms, rng, paces, cycles=int(rng.integers(2, spent + 8)))
    few = gemms[:2]
    awake = rng.integers(2, size=registers, dtype=np.uint8)
    yield (
        few,
        replace(
            _episode(design, few, rng, _paces(rng) if rng.random() < 0.5 else (1.0, 1.0, 1.0)),
            awake=awake if rng.random() < _POWER_UPS else None,
        ),
    )


def _paces(rng: np.random.Generator) -> tuple[float, float, float]:
    return float(rng.choice(_PACES)), float(rng.choice(_PACES)), float(rng.choice(_PACES))


def _episode(
    design: Design,
    gemms: Sequence[Gemm],
    rng: np.random.Generator,
    paces: tuple[float, float, float],
    cycles: int | None = None,
) -> Episode:
    a, b, results, expected = [], [], 0, 0
    shapes = design.streams
    for gemm in gemms:
        packed = design.pack(gemm.A, gemm.B, wrap=gemm.wrap)
        a.append(beat_bits(packed.a, shapes["a"].bits))
        b.append(beat_bits(packed.b, shapes["b"].bits))
        results += design.output_beats(gemm.size[0], gemm.size[2])
        expected += design.cycles(gemm.A, gemm.B, wrap=gemm.wrap)
    interrupted = cycles is not None
    if cycles is None:
        cycles = int(sum(1 / pace for pace in paces) * (2 * expected + 64))
    return Episode(
        np.concatenate(a), np.concatenate(b), results, paces,
        cycles, int(rng.integers(1, 3)),
        int(rng.integers(1, 1 << 62)), interrupted=interrupted,
    )  # fmt: skip


def _short(design: Design, size: tuple[int, int, int], rng: np.random.Generator) -> Gemm:
    if rng.random() < 0.5:
        return corner(str(rng.choice(CORNERS)), design, size, rng)
    return random_gemm(design, size, rng)


def _long(design: Design, rng: np.random.Generator) -> Gemm:
    """Draw a tile whose sums are of all magnitudes up to that of the accumulator."""
    m, _, n = default_sizes(design, _lanes(design), 0)[1]
    sample = [Gemm(np.full((m, k), -1), np.full((k, n), -1)) for k in (64, 128)]
    few, more = (design.cycles(one.A, one.B, wrap=True) for one in sample)
    most = int(64 * _LONGEST / max(1, more - few))
    if rng.random() < 0.5:
        legs = [int(min(most, design.max_k) ** rng.random())]
    else:
        # The uppermost bits need nearly all that there is: straight up or down, then to and fro.
        k = int(min(most, _OVER * design.max_k) * rng.uniform(0.5, 1.0))
        turns = rng.integers(k // 2, k, int(rng.integers(1, _TURNS)), endpoint=True)
        legs = np.diff([0, *np.sort(turns), k]).tolist()
    a = [_leaning(rng, design.a, m, leg, _STRAY[at > 0]) for at, leg in enumerate(legs)]
    b = [_leaning(rng, design.b, n, leg, _STRAY[at > 0]) for at, leg in enumerate(legs)]
    return Gemm(np.concatenate(a, axis=1), np.concatenate(b, axis=1).T, wrap=True)


def _leaning(
    rng: np.random.Generator, numbers: Int, lines: int, k: int, most_stray: float
) -> np.ndarray:
    """Draw lines of operands each of which leans to one of its ends, by how much is drawn."""
    main = np.where(rng.random((lines, 1)) < 0.5, numbers.min, numbers.max)
    stray = rng.random((lines, 1)) ** 2 * most_stray
    ends = np.where(rng.random((lines, k)) < stray, numbers.min + numbers.max - main, main)
    noise = rng.integers(numbers.min, numbers.max, (lines, k), endpoint=True)
    return np.where(rng.random((lines, k)) < rng.random() ** 3 * most_stray * 2, noise, ends)


def _lanes(design: Design) -> dict[str, dict[str, int]]:
    return {name: {"lanes": shape.lanes} for name, shape in design.streams.items()}


def _check(design: Design, gemms: Sequence[Gemm], beats: np.ndarray) -> None:
    data = beat_values(beats[:, :-1], design.streams["c"].lanes)
    at = 0
    for gemm in gemms:
        m, _, n = gemm.size
        end = at + design.output_beats(m, n)
        same = design.unpack(data[at:end], m, n) == design.reference(gemm.A, gemm.B, wrap=gemm.wrap)
        if not same.all() or (beats[at:end, -1] != design.output_last(m, n)).any():
            raise ToolError(f"the netlist of {design.name} is wrong: {m}x{gemm.size[1]}x{n}")
        at = end
