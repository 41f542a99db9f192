"""When bit-slice columns do what: the cycle model of :mod:`bitweight.tpe.bit_slice`.

The control of the array, step by step as the hardware has it, without any operand: how many
digits of a word are not zero decides everything. Words, passes and the rules by which they follow
each other are described in :mod:`bitweight.tpe.digit_column`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from bitweight.tpe.layout import QUEUE

__all__ = ["Block", "Pace", "Schedule", "schedule"]


@dataclass(frozen=True)
class Block:
    """Digits of a block of k, counted.

    Parameters
    ----------
    counts
        ``counts[column][lane][pass][word]``: non-zero digits of one bit-weight in a word.
    beats
        Operand beats in which the block comes.
    """

    counts: Sequence[Sequence[Sequence[Sequence[int]]]]
    beats: int


@dataclass(frozen=True)
class Pace:
    """What of an array decides on its cycles.

    Parameters
    ----------
    cols, lanes, passes
        Columns, lanes along k of each, and digits of an operand.
    depth
        Blocks that the operand buffers hold.
    gap
        Fewest steps from the end of a pass to that of the next.
    release
        Steps after which the buffers of a block that has ended take the next one.
    whole
        A fetch brings the operands of all digits of a word; otherwise of one.
    tail
        Steps from the end of the last pass to the last result beat.
    """

    cols: int
    lanes: int
    passes: int
    depth: int
    gap: int
    release: int
    whole: bool
    tail: int


@dataclass(frozen=True)
class Schedule:
    """Cycles of a GEMM, and on what they went for every column and lane (``[cols, lanes]``)."""

    cycles: int
    kinds: dict[str, np.ndarray]


@dataclass(eq=False)
class _Word:
    """A word between the operand buffer and the PEs."""

    left: int
    bank: int
    following: bool  # it belongs to the pass after the present one
    fresh: bool = True  # nothing of it has been fetched yet


@dataclass(eq=False)
class _Lane:
    """One lane of a column: where it reads, and the words that it has."""

    column: int
    at: int = 0  # words of the pass that were read
    reading: int = 0  # the pass that is read
    lead: int = 0  # passes between the present one and that
    ahead: int = 0  # the same in blocks
    next: _Word | None = None
    queue: list[_Word] = field(default_factory=list)
    word: _Word | None = None
    spent: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("work", "sync", "conflict", "drain", "fill"), 0)
    )

    @property
    def asks(self) -> bool:
        return self.word is not None and not self.word.following

    @property
    def finished(self) -> bool:
        return self.lead > 0 and all(word.following for word in self.words)

    @property
    def words(self) -> list[_Word]:
        """All that it has, the one that is passed on first."""
        return [word for word in (self.word, *self.queue, self.next) if word is not None]


def schedule(blocks: Sequence[Block], pace: Pace) -> Schedule:
    """Return the exact schedule of one block or more, when no stream is stalled.

    Parameters
    ----------
    blocks
        In their order.
    pace
        The array.
    """
    columns = [[_Lane(column) for _ in range(pace.lanes)] for column in range(pace.cols)]
    run = _Run(blocks, pace, columns)
    cycle = 0
    while not run.step():
        cycle += 1
    for lane in run.every:
        lane.spent["drain"] += pace.tail
    kinds = {
        kind: np.array([[lane.spent[kind] for lane in lanes] for lanes in columns])
        for kind in columns[0][0].spent
    }
    return Schedule(cycle + 1 + pace.tail, kinds)


class _Run:
    def __init__(self, blocks: Sequence[Block], pace: Pace, columns: list[list[_Lane]]) -> None:
        self.blocks, self.pace, self.columns = blocks, pace, columns
        self.every = [lane for lanes in columns for lane in lanes]
        self.present = [0] * pace.cols  # the pass of each column
        self.gap = [0] * pace.cols
        self.block = 0  # the block that is worked on
        self.taken, self.beat = 0, 0  # blocks and beats that were taken from the streams
        self.written = False  # the beat before was the last of its block
        self.loaded, self.occupied = 0, 0
        self.release = 0

    def step(self) -> bool:
        """Do one step; tell whether the last block has ended."""
        last = self.pace.passes - 1
        finished = [all(lane.finished for lane in lanes) for lanes in self.columns]
        ready = [done and not gap for done, gap in zip(finished, self.gap, strict=True)]
        sync = all(ready) and all(now == last for now in self.present)
        ends = [
            done and (sync or now != last) for done, now in zip(ready, self.present, strict=True)
        ]
        served = self._served()
        for column, lanes in enumerate(self.columns):
            waits = ready[column] and self.present[column] == last and not sync
            for lane in lanes:
                lane.spent[_kind(lane, served, finished[column], waits)] += 1
                self._move(lane, lane in served, ends[column])
            if ends[column]:
                self.present[column] = (self.present[column] + 1) % self.pace.passes
                self.gap[column] = self.pace.gap - 1
                for lane in lanes:
                    lane.lead -= 1
            elif self.gap[column]:
                self.gap[column] -= 1
        self._load(sync)
        return sync and self.block == len(self.blocks)

    def _served(self) -> set[_Lane]:
        """Return the lanes that pass on a digit: of each bank that nearest its own."""
        served: set[_Lane] = set()
        for number in range(self.pace.lanes):
            first: dict[int, tuple[int, _Lane]] = {}
            for column, lanes in enumerate(self.columns):
                lane = lanes[number]
                if not lane.asks:
                    continue
                word = lane.word
                assert word is not None  # it asks
                if self.pace.whole and not word.fresh:
                    served.add(lane)
                    continue
                behind = (word.bank - column) % self.pace.cols
                if word.bank not in first or behind < first[word.bank][0]:
                    first[word.bank] = (behind, lane)
            for _, lane in first.values():
                served.add(lane)
        return served

    def _move(self, lane: _Lane, served: bool, ends: bool) -> None:
        """Move the words of one lane by a step."""
        if served:
            word = lane.word
            assert word is not None  # it was served
            word.left -= 1
            word.fresh = False
            if not word.left:
                lane.word = None
        full = len(lane.queue) == QUEUE
        if lane.word is None and lane.queue:
            lane.word = lane.queue.pop(0)
        if lane.next is not None and not (lane.next.left and full):
            if lane.next.left:
                lane.queue.append(lane.next)
            lane.next = None
        if ends:
            for word in lane.words:
                word.following = False
        if lane.next is None and lane.lead <= 1 and lane.ahead < self.loaded:
            self._read(lane, ends)

    def _read(self, lane: _Lane, ends: bool) -> None:
        """Read a word: all of one bank, then all of the next one, from the column's own on."""
        cols = self.pace.cols
        number = self.columns[lane.column].index(lane)
        block = self.blocks[self.block + lane.ahead]
        words = block.counts[lane.column][number][lane.reading]
        rows = max(1, -(-len(words) // cols))
        bank, row = (lane.column + lane.at // rows) % cols, lane.at % rows
        at = row * cols + bank
        left = words[at] if at < len(words) else 0
        lane.next = _Word(left, bank, following=lane.lead == 1 and not ends)
        lane.at += 1
        if lane.at == rows * cols:
            lane.at = 0
            lane.lead += 1
            lane.reading += 1
            if lane.reading == self.pace.passes:
                lane.reading = 0
                lane.ahead += 1

    def _load(self, sync: bool) -> None:
        """Take a beat of operands, and count the blocks that are in the buffers."""
        written, self.written = self.written, False
        if self.taken < len(self.blocks) and self.occupied < self.pace.depth:
            self.beat += 1
            if self.beat == self.blocks[self.taken].beats:
                self.beat = 0
                self.taken += 1
                self.written = True
        self.loaded += written
        self.occupied += self.written - (self.release == 1)
        self.release -= self.release > 0
        if sync:
            self.release = self.pace.release
            self.loaded -= 1
            self.block += 1
            for lane in self.every:
                lane.ahead -= 1


def _kind(lane: _Lane, served: set[_Lane], finished: bool, waits: bool) -> str:
    """Return what a step goes to."""
    if lane in served:
        return "work"
    if lane.asks:
        return "conflict"
    if waits:
        return "sync"
    if finished:
        return "drain"
    return "sync" if lane.finished else "fill"
