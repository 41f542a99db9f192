"""When bit-slice columns do what: the cycle model of :mod:`bitweight.tpe.bit_slice`.

The control of the array, step by step as the hardware has it, without any operand: which digits
of a word are not zero decides everything. Words, passes and the rules by which they follow each
other are described in :mod:`bitweight.tpe.digit_column`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from bitweight.tpe.layout import RING, BlockLayout

__all__ = ["Block", "Pace", "Schedule", "schedule"]


@dataclass(frozen=True)
class Block:
    """Which digits of a block of k are not zero.

    Parameters
    ----------
    masks
        ``masks[column][lane][pass][word]``: a bit for each digit of one bit-weight in a word.
    beats
        Operand beats in which the block comes.
    complete
        It is the last of its tile.
    """

    masks: Sequence[Sequence[Sequence[Sequence[int]]]]
    beats: int
    complete: bool = False


@dataclass(frozen=True)
class Pace:
    """What of an array decides on its cycles.

    Parameters
    ----------
    layout
        Of the buffers.
    passes
        Digits of an operand.
    gap
        Fewest steps from the end of a pass to that of the next.
    release
        Steps after which the buffers of a block that has ended take the next one.
    tail
        Steps from the end of a tile's last pass to its last result beat; until then no pass ends.
    """

    layout: BlockLayout
    passes: int
    gap: int
    release: int
    tail: int


@dataclass(frozen=True)
class Schedule:
    """Cycles of a GEMM, and on what they went for every column and lane (``[cols, lanes]``)."""

    cycles: int
    kinds: dict[str, np.ndarray]


@dataclass(eq=False)
class _Word:
    """A word, or a digit of it, between the operand buffer and the PEs."""

    left: int  # a bit for each digit
    place: int
    row: int
    following: bool  # it belongs to the pass after the present one
    hit: bool = False  # the row that it asked for is opened

    def first(self) -> _Word:
        """Take the first digit out of it."""
        digit = self.left & -self.left
        self.left -= digit
        return _Word(digit, self.place, self.row, self.following)


@dataclass(eq=False)
class _Lane:
    """One lane of a column: where it reads, and the words and digits that it has."""

    column: int
    number: int
    at: int = 0  # words of the pass that were read
    reading: int = 0  # the pass that is read
    lead: int = 0  # passes between the present one and that
    ahead: int = 0  # the same in blocks
    finished: bool = False  # nothing was left of the present pass after the step before
    next: _Word | None = None
    coded: _Word | None = None
    word: _Word | None = None
    ring: list[_Word | None] = field(default_factory=lambda: [None] * RING)
    rest: int = 0  # digits of a whole word that was served
    left: bool = True  # something is left of the present pass after the step
    spent: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("work", "sync", "conflict", "drain", "fill"), 0)
    )

    @property
    def words(self) -> list[_Word]:
        """All that it has."""
        stages = (*self.ring, self.word, self.coded, self.next)
        return [word for word in stages if word is not None]


def schedule(blocks: Sequence[Block], pace: Pace) -> Schedule:
    """Return the exact schedule of one block or more, when no stream is stalled.

    Parameters
    ----------
    blocks
        In their order.
    pace
        The array.
    """
    columns = [
        [_Lane(column, number) for number in range(pace.layout.lanes)]
        for column in range(pace.layout.cols)
    ]
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
        self.present = [0] * len(columns)  # the pass of each column
        self.ahead = [False] * len(columns)  # whether it was later than another one's
        self.gap = [0] * len(columns)
        self.waits = [False] * len(columns)  # nothing was left of the block after the step before
        self.inner = [False] * len(columns)  # nor of a pass that is not its last
        self.sync = False  # all columns waited in the step before
        self.hold = 0  # steps until the results of a tile have left
        self.block = 0  # the block that is worked on
        self.taken, self.beat = 0, 0  # blocks and beats that were taken from the streams
        self.written = [False] * 2  # the two beats before were the last of their blocks
        self.loaded, self.occupied = 0, 0
        self.release = 0

    def step(self) -> bool:
        """Do one step; tell whether the last block has ended."""
        last = self.pace.passes - 1
        sync = self.sync
        self.sync = not sync and all(self.waits)
        ends = [sync or inner for inner in self.inner]
        self._ask()
        self.ahead = [now > min(self.present) for now in self.present]
        for column, lanes in enumerate(self.columns):
            end = ends[column]
            free = not self.gap[column] and not self.hold and not end
            served = [self._serves(lane, end) for lane in lanes]
            finished = [lane.finished for lane in lanes]
            for lane, mine in zip(lanes, served, strict=True):
                kind = _kind(lane, mine, all(finished), self.waits[column] and not sync)
                lane.spent[kind] += 1
                self._move(lane, mine, end)
            none = free and all(finished) and not any(lane.left for lane in lanes)
            self.waits[column] = none and self.present[column] == last
            self.inner[column] = none and self.present[column] != last
            if ends[column]:
                self.present[column] = (self.present[column] + 1) % self.pace.passes
                self.gap[column] = self.pace.gap - 2
                for lane in lanes:
                    lane.lead -= 1
            elif self.gap[column]:
                self.gap[column] -= 1
        self.hold -= self.hold > 0
        if sync and self.blocks[self.block].complete:
            self.hold = self.pace.tail
        self._load(sync)
        return sync and self.block == len(self.blocks)

    def _ask(self) -> None:
        """Decide on those that ask in this step: each bank opens the first row it is asked for."""
        whole = self.pace.layout.whole
        wants: dict[tuple[int, int, int], list[tuple[bool, int, _Word]]] = {}
        for lane in self.every:
            word = lane.ring[0]
            if word is None:
                continue
            # All of its place, or the operand's own bank there.
            bank = (lane.number, word.place, 0 if whole else word.left)
            late = word.following or self.ahead[lane.column]
            wants.setdefault(bank, []).append((late, word.row, word))
        for asking in wants.values():
            opened = min(asking, key=lambda want: want[:2])[1]
            for _, row, word in asking:
                word.hit = row == opened

    def _serves(self, lane: _Lane, ends: bool) -> bool:
        """Tell whether a lane's request is served in this step."""
        word = lane.ring[3]
        return word is not None and word.hit and (ends or not word.following) and not lane.rest

    def _move(self, lane: _Lane, served: bool, ends: bool) -> None:
        """Move what a lane has by a step, the last stage first."""
        ring, word, whole = lane.ring, lane.word, self.pace.layout.whole
        taken = ring[-1] is None
        present = [w for w in ring if w and not w.following and not (served and w is ring[3])]
        lane.left = bool(present or (whole and (served or lane.rest)))
        stages = [lane.next]
        if whole:
            stages += [None if taken else lane.coded]
        else:
            leaves = taken and word is not None and not word.left & word.left - 1
            stages += [lane.coded, None if leaves else word]
        within = any(stage is not None and not stage.following for stage in stages)
        lane.finished = not within and lane.lead > 0 and not ends
        if served:
            assert ring[3] is not None
            lane.rest = ring[3].left & ring[3].left - 1 if whole else 0
        else:
            lane.rest &= lane.rest - 1
        first = ring[-1]
        if first is None and whole:
            first, lane.coded = lane.coded, None
        elif first is None and word is not None:
            first = word.first()
            if not word.left:
                lane.word = None
        lane.ring = [first, *ring[:3], None if served else ring[3]]
        if not whole and lane.word is None:
            lane.word, lane.coded = lane.coded, None
        if lane.next is not None and lane.coded is None:
            lane.coded = lane.next if lane.next.left else None
            lane.next = None
        if ends:
            for word in lane.words:
                word.following = False
        if lane.next is None and lane.lead <= 1 and lane.ahead < self.loaded:
            self._read(lane, ends)

    def _read(self, lane: _Lane, ends: bool) -> None:
        """Read a word: row by row, in each from the column's own place on."""
        places = self.pace.layout.places
        block = self.blocks[self.block + lane.ahead]
        words = block.masks[lane.column][lane.number][lane.reading]
        rows = max(1, -(-len(words) // places))
        row, step = divmod(lane.at, places)
        place = (self.pace.layout.first_place(lane.column) + step) % places
        at = row * places + place
        left = words[at] if at < len(words) else 0
        lane.next = _Word(left, place, row, following=lane.lead == 1 and not ends)
        lane.at += 1
        if lane.at == rows * places:
            lane.at = 0
            lane.lead += 1
            lane.reading += 1
            if lane.reading == self.pace.passes:
                lane.reading = 0
                lane.ahead += 1

    def _load(self, sync: bool) -> None:
        """Take a beat of operands, and count the blocks that are in the buffers."""
        written, complete = self.written.pop(), False
        if self.taken < len(self.blocks) and self.occupied < self.pace.layout.depth:
            self.beat += 1
            if self.beat == self.blocks[self.taken].beats:
                self.beat = 0
                self.taken += 1
                complete = True
        self.loaded += written
        self.written.insert(0, complete)
        self.occupied += complete - (self.release == 1)
        self.release -= self.release > 0
        if sync:
            self.release = self.pace.release
            self.loaded -= 1
            self.block += 1
            for lane in self.every:
                lane.ahead -= 1


def _kind(lane: _Lane, served: bool, finished: bool, waits: bool) -> str:
    """Return what a step goes to."""
    request = lane.ring[3]
    if served or lane.rest:
        return "work"
    if request is not None and not request.following:
        return "conflict"
    if waits:
        return "sync"
    if not lane.finished or lane.left:
        return "fill"
    return "drain" if finished else "sync"
