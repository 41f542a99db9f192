"""The cycle model of bit-slice arrays: where steps go, and what makes a product faster."""

from itertools import pairwise

import numpy as np
import pytest

from bitweight import ENCODINGS, OPT3, OPT4C, OPT4E, Design
from bitweight.pe.output_stationary import OutputStationaryPE
from bitweight.pe.sparse import SparsePE
from bitweight.tpe import BitSlice, Column
from bitweight.tpe.merge import MergeColumn
from bitweight.tpe.schedule import Block, Pace, schedule

MACS = [OPT3, OPT4C, OPT4E]
LATENCY = 3
"""Steps from a block that is complete to its first digit."""

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
        assert not kinds["sync"].any()


@pytest.mark.parametrize("mac", MACS, ids=lambda mac: mac.name)
@pytest.mark.parametrize("cols", [3, 16])
def test_columns_with_equal_digits_never_meet(mac, cols, rng):
    design = Design(BitSlice(3, cols, group=2, block=4 * 2 * cols), mac)
    block = design.array.block
    A = rng.choice(DENSE, (2 * cols, 2 * block))
    kinds = scheduled(design, A, 3).kinds
    assert not kinds["conflict"].any() and not kinds["sync"].any()
    # One row of a few digits, one that has none: others need a time of their own.
    A[1, ::2], A[2] = 0, 0
    kinds = scheduled(design, A, 3).kinds
    assert kinds["sync"].any()


def test_columns_that_drift_collide(rng):
    design = Design(BitSlice(3, 4, group=2, block=64), OPT4C)
    kinds = scheduled(design, sparse_matrix(rng, 4, 640), 3).kinds
    assert kinds["conflict"].any()


@pytest.mark.parametrize("mac", MACS, ids=lambda mac: mac.name)
@pytest.mark.parametrize(("rows", "beats"), [(2, 16), (2, 2), (9, 4)])
def test_zeros_cost_a_step_for_each_word_and_pass(mac, rows, beats):
    """Or, where the drain is slower than that, the time of the drain."""
    cols, group = 2, 4
    design = Design(BitSlice(rows, cols, group=group, block=beats * group), mac)
    gap = MergeColumn.gap(rows, design.array.adder_stages)
    lanes = design.array.layout(design.nest).lanes
    words = max(cols, -(-beats // (lanes * cols)) * cols)  # each lane looks into every bank
    A = np.zeros((cols, beats * group), dtype=int)
    few, many = (scheduled(design, A, rows * tiles) for tiles in (3, 8))
    assert not any(many.kinds[kind].any() for kind in ("work", "conflict"))
    assert many.cycles - few.cycles == 5 * 4 * max(gap, words)


@pytest.mark.parametrize("mac", [OPT3, OPT4C], ids=lambda mac: mac.name)
@pytest.mark.parametrize(("depth", "blocks"), [(1, 1), (2, 1), (1, 5), (2, 5), (3, 5)])
def test_blocks_follow_each_other(mac, depth, blocks, rng):
    """Four passes over every block, each with a step for its end; buffers load beside that."""
    beats, group, rows = 6, 2, 3
    array = Column(rows, group=group, block=beats * group, depth=depth)
    design = Design(array, mac)
    A = rng.choice(DENSE, (1, blocks * beats * group))
    element = SparsePE if mac is OPT3 else OutputStationaryPE
    latency = element.latency + 2 + MergeColumn.latency_of(array.adder_stages)
    work = 4 * (beats * group + 1)
    # To the first digit: the beats, a step until they are counted, the feeder. With one slot the
    # last PE must have read a block before the next comes.
    expected = beats + 1 + LATENCY + blocks * work + latency + rows - 1
    if depth == 1:
        expected += (blocks - 1) * (rows + beats + 1 + LATENCY)
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


PACE = Pace(cols=2, lanes=1, passes=1, depth=2, gap=3, release=2, whole=False, tail=5)


def one_pass(*columns: list[int], whole: bool = False) -> dict[str, list[int]]:
    """Return where the steps go of one block with these digits in the words of each column."""
    block = Block([[[column]] for column in columns], len(columns[0]))
    pace = Pace(**{**vars(PACE), "cols": len(columns), "whole": whole})
    found = schedule([block], pace)
    return {kind: steps[:, 0].tolist() for kind, steps in found.kinds.items()}


def test_by_hand():
    """Column 1 starts at word 1, of bank 1. It takes two beats, a step, and the latency to fill."""
    spent = one_pass([2, 2], [2, 2])
    assert spent == {"work": [4, 4], "conflict": [0, 0], "sync": [0, 0], "fill": [6, 6],
                     "drain": [6, 6]}  # fmt: skip
    # Column 0 comes to bank 1 after a step, while its own column reads it for three.
    spent = one_pass([1, 1], [1, 3])
    assert spent["work"] == [2, 4] and spent["conflict"] == [2, 0]
    assert spent["sync"] == [0, 0]
    # Once fetched, the rest of a word keeps nobody from the bank.
    spent = one_pass([1, 1], [1, 3], whole=True)
    assert spent["work"] == [2, 4] and spent["conflict"] == [0, 0] and spent["sync"] == [2, 0]
