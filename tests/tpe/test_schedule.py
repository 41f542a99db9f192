"""The cycle model of bit-slice arrays: where steps go, and what makes a product faster."""

from itertools import pairwise

import numpy as np
import pytest

from bitweight import ENCODINGS, OPT3, OPT4C, OPT4E, Design
from bitweight.pe.output_stationary import OutputStationaryPE
from bitweight.pe.sparse import SparsePE
from bitweight.tpe import BitSlice, Column
from bitweight.tpe.layout import BlockLayout
from bitweight.tpe.merge import MergeColumn
from bitweight.tpe.schedule import Block, Pace, schedule

MACS = [OPT3, OPT4C, OPT4E]
LATENCY = {"opt3": 2 + 4, "opt4c": 3 + 4}
"""Steps from a block that is complete to its first word or digit, and until that is served."""

DENSE = [int(v) for v in range(-128, 128) if ENCODINGS["mbe"].recode(np.array(v), 8).all()]
"""Values of which no digit is zero."""


def scheduled(design: Design, A: np.ndarray, N: int):
    return design.array.schedule(design.nest, A, N)


def sparse_matrix(rng, *shape: int) -> np.ndarray:
    """Values of all sizes, rows and columns of zeros among them."""
    A = rng.integers(-128, 128, shape) >> rng.integers(0, 8, shape)
    A[rng.random(shape[0]) < 0.2] = 0
    A[:, rng.random(shape[1]) < 0.2] = 0
    return A


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("mac", MACS, ids=lambda mac: mac.name)
def test_kinds_add_up_and_the_work_is_that_of_the_digits(mac, encoding, rng):
    design = Design(BitSlice(2, 3, group=2, block=24), mac, encoding=encoding)
    M, N, K = 7, 5, 61
    A = sparse_matrix(rng, M, K)
    found = scheduled(design, A, N)
    lanes = design.array.layout(design.nest).lanes
    total = sum(found.kinds.values())
    assert total.shape == (3, lanes) and (total == found.cycles).all()
    digits = np.zeros((9, 64), dtype=int)
    digits[:M, :K] = np.count_nonzero(ENCODINGS[encoding].recode(A, 8), axis=2)
    word = digits.reshape(3, 3, 32, 2).sum(axis=(0, 3))  # [column, word]
    for lane in range(lanes):  # words go to the lanes in turn, anew in each block of 12
        own = [w for w in range(32) if w % 12 % lanes == lane]
        work = 3 * word[:, own].sum(axis=1)  # for the tiles along n
        np.testing.assert_array_equal(found.kinds["work"][:, lane], work)
    assert found.cycles == design.cycles(A, np.zeros((K, N), dtype=int))


@pytest.mark.parametrize("mac", MACS, ids=lambda mac: mac.name)
def test_a_single_column_waits_for_nobody(mac, rng):
    design = Design(Column(3, group=3, block=24), mac)
    kinds = scheduled(design, sparse_matrix(rng, 3, 70), 4).kinds
    assert not kinds["conflict"].any()
    if mac is not OPT4E:  # its lanes wait for each other
        assert (kinds["sync"] == 3 * 2 * 3).all()  # a step for each block


@pytest.mark.parametrize("mac", MACS, ids=lambda mac: mac.name)
@pytest.mark.parametrize("cols", [3, 16])
def test_columns_with_equal_digits_never_meet(mac, cols, rng):
    design = Design(BitSlice(3, cols, group=2, block=4 * 2 * cols), mac)
    block = design.array.block
    A = rng.choice(DENSE, (2 * cols, 2 * block))
    kinds = scheduled(design, A, 3).kinds
    assert not kinds["conflict"].any() and (kinds["sync"] == 2 * 2).all()  # a step for each block
    # One row of a few digits, one that has none: others need a time of their own.
    A[1, ::2], A[2] = 0, 0
    kinds = scheduled(design, A, 3).kinds
    assert (kinds["sync"] > 2 * 2).any()


def test_columns_that_drift_collide(rng):
    design = Design(BitSlice(3, 4, group=2, block=64), OPT4C)
    kinds = scheduled(design, sparse_matrix(rng, 4, 640), 3).kinds
    assert kinds["conflict"].any()


def array_tail(design: Design) -> int:
    """Return the steps from the end of a tile's last pass to its last result."""
    array = design.array
    element = SparsePE if design.mac is OPT3 else OutputStationaryPE
    merge = MergeColumn.latency_of(array.rows, array.adder_stages)
    return element.latency + 1 + merge + array.rows - 1


@pytest.mark.parametrize("mac", MACS, ids=lambda mac: mac.name)
@pytest.mark.parametrize(("rows", "beats"), [(2, 16), (2, 2), (9, 4)])
def test_zeros_cost_a_step_for_each_word_and_pass(mac, rows, beats):
    """Or, where the drain is slower than that, the time of the drain."""
    cols, group = 2, 4
    design = Design(BitSlice(rows, cols, group=group, block=beats * group), mac)
    gap = MergeColumn.gap(rows, design.array.adder_stages)
    lanes = design.array.layout(design.nest).lanes
    words = -(-beats // lanes)
    tail = array_tail(design)
    A = np.zeros((cols, beats * group), dtype=int)
    few, many = (scheduled(design, A, rows * tiles) for tiles in (3, 8))
    assert not any(many.kinds[kind].any() for kind in ("work", "conflict"))
    # The first pass of a tile ends two steps after the results of the one before have left, the
    # last one a step after all columns are ready. Words are read beside that.
    assert many.cycles - few.cycles == 5 * max(4 * words, tail + 2 + 3 * gap + 1)


@pytest.mark.parametrize("mac", [OPT3, OPT4C], ids=lambda mac: mac.name)
@pytest.mark.parametrize(("depth", "blocks"), [(1, 1), (2, 1), (1, 5), (2, 5), (3, 5)])
def test_blocks_follow_each_other(mac, depth, blocks, rng):
    """Four passes over every block; buffers load beside that.

    Digits go on from pass to pass, and whole words after a step; a step tells that all columns are
    at the end of a block.
    """
    beats, group, rows = 6, 2, 3
    array = Column(rows, group=group, block=beats * group, depth=depth)
    design = Design(array, mac)
    A = rng.choice(DENSE, (1, blocks * beats * group))
    work = 4 * (beats * group + (mac is OPT3)) + 1
    # To the first digit: the beats, two steps until they are counted, the feeder, the request. With
    # one slot the last PE must have read a block before the next comes.
    fill = beats + 2 + LATENCY[mac.name]
    expected = fill + blocks * work + 1 + array_tail(design)
    if depth == 1:
        expected += (blocks - 1) * (rows + 1 + fill)
    assert design.cycles(A, np.zeros((A.shape[1], 1), dtype=int)) == expected


@pytest.mark.parametrize("mac", MACS, ids=lambda mac: mac.name)
def test_more_depth_is_never_slower(mac, rng):
    for cols in (1, 3):
        A = sparse_matrix(rng, 2 * cols, 80)
        B = np.zeros((80, 4), dtype=int)
        cycles = [
            Design(BitSlice(2, cols, group=2, block=16, depth=depth), mac).cycles(A, B)
            for depth in (1, 2, 3, 8)
        ]
        assert cycles[0] > cycles[1]
        assert cycles == sorted(cycles, reverse=True)


def quantised(rng, rows: int, k: int) -> np.ndarray:
    """Return values of a normal distribution, quantised symmetrically by their maximum."""
    values = rng.standard_normal((rows, k))
    return np.rint(values * 127 / np.abs(values).max()).astype(int)


@pytest.mark.parametrize("mac", MACS, ids=lambda mac: mac.name)
def test_utilisation_grows_with_the_block(mac, rng):
    """Waiting for the slowest column, and fill and drain, are shared by more digits."""
    used = []
    for k in (16, 64, 256, 1024):
        design = Design(BitSlice(16, 16, block=k), mac)
        found = scheduled(design, quantised(rng, 16 * max(1, 64 // k), k), 4 * 16)
        used.append(found.kinds["work"].mean() / found.cycles)
    # One tile of A differs from another by some percent.
    assert all(later > 0.9 * earlier for earlier, later in pairwise(used)), used
    assert 1.3 * used[0] < used[1] < used[3] < 1, used


def one_pass(*columns: list[int], whole: bool = False) -> dict[str, list[int]]:
    """Return where the steps go of one block with these digits in the two words of each column.

    Both words lie in one place, in rows of their own.
    """
    layout = BlockLayout(2, 1, 4, 8, 2, whole)
    assert whole or (layout.places, layout.rows) == (1, 2)
    pace = Pace(layout, passes=1, gap=3, release=2, tail=5)
    found = schedule([Block([[[column]] for column in columns], 2, complete=True)], pace)
    return {kind: steps[:, 0].tolist() for kind, steps in found.kinds.items()}


def test_by_hand():
    """It takes two beats and two steps, the latency and a decision to fill.

    A step tells that all columns are at the end of the block.
    """
    spent = one_pass([0b11, 0b11], [0b11, 0b11])
    assert spent == {"work": [4, 4], "conflict": [0, 0], "sync": [1, 1], "fill": [11, 11],
                     "drain": [6, 6]}  # fmt: skip
    # Column 0 wants the second digit of the second word while column 1 wants that of the first; it
    # asks again when it has been round.
    spent = one_pass([0b01, 0b10], [0b11, 0b10])
    assert spent["work"] == [2, 3] and spent["conflict"] == [1, 0]
    assert spent["fill"] == [15, 11] and spent["sync"] == [1, 5]
    # Other digits of both are in other banks.
    spent = one_pass([0b01, 0b01], [0b11, 0b10])
    assert spent["work"] == [2, 3] and spent["conflict"] == [0, 0] and spent["sync"] == [2, 1]
    # Whole words have banks of their own.
    spent = one_pass([0b01, 0b10], [0b11, 0b10], whole=True)
    assert spent["work"] == [2, 3] and spent["conflict"] == [0, 0] and spent["sync"] == [2, 1]
