"""The plan of the bench: which operands and sizes its cases have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from bitweight import MAC, OPT1, Design, SystolicOS, catalog
from bitweight.arith import ENCODINGS
from bitweight.catalog import SMALL
from bitweight_verif.cases import Case, default_sizes, densest, gemms, plan

DESIGN = catalog["systolic-os-opt1-small"]


@dataclass(frozen=True)
class Blocked(SystolicOS):
    """An array whose lanes meet after each block of k."""

    block: int = 6


def streams(design: Design) -> dict[str, dict[str, int]]:
    return {name: {"lanes": shape.lanes} for name, shape in design.streams.items()}


def corner(name, design, rng, size=(5, 40, 6)):
    (gemm,) = gemms(Case(f"corner-{name}", size), design, rng)
    return gemm


@pytest.mark.parametrize("name", SMALL)
def test_sizes_fill_all_loops_in_space_and_more(name):
    """The lanes of the streams do not: a column has a lane of C for several columns of B."""
    design = catalog[name]
    sizes = default_sizes(design, streams(design), 0)
    space = [np.prod([loop.extent for loop in design.nest.spatial(dim)]) for dim in "mkn"]
    over_m, over_k, over_n = (np.array(sizes) > np.array(space)).T
    assert (over_k & over_n & (over_m | (space[0] == 1))).any()
    assert any(size[0] <= space[0] and size[2] < space[2] for size in sizes)


@pytest.mark.parametrize("bits", [2, 5, 8])
@pytest.mark.parametrize("encoding", ENCODINGS.values(), ids=str)
def test_densest_operands(encoding, bits):
    most = densest(encoding, bits)
    values = np.arange(-(1 << (bits - 1)), 1 << (bits - 1))
    counts = {int(v): np.count_nonzero(encoding.recode(np.array([v]), bits)) for v in values}
    assert [v for v in counts if counts[v] == max(counts.values())] == most.tolist()


def test_densest_operands_have_no_zero_digit():
    recoded = ENCODINGS["mbe"].recode(densest(ENCODINGS["mbe"], 8), 8)
    assert recoded.shape == (3**4, 4) and recoded.all()


def test_most_digits_are_in_both_operands(rng):
    gemm = corner("most-digits", DESIGN, rng)
    for matrix in (gemm.A, gemm.B):
        assert ENCODINGS["mbe"].recode(matrix, 8).all()
        assert len(np.unique(matrix)) > 20


def test_sparse_operands(rng):
    A = corner("sparse", DESIGN, rng, (64, 64, 2)).A
    assert 0.03 < np.count_nonzero(A) / A.size < 0.1
    magnitudes = np.abs(A[A != 0])
    assert (magnitudes & (magnitudes - 1) == 0).all()
    assert A.min() < 0 < A.max() == 64


def test_one_dense_row_among_empty_ones(rng):
    A = corner("dense-row", DESIGN, rng).A
    assert np.count_nonzero(A.any(axis=1)) == 1
    assert np.count_nonzero(A) > 30


def blocks(design: Design, **options) -> list[Case]:
    found = plan(design, streams(design), 1, 2, **options)
    return [case for case in found if case.kind == "blocks"]


def test_a_k_of_several_blocks(rng):
    (case,) = blocks(Design(Blocked(2, 3, block=6), OPT1))
    assert case.size[1] == 13
    sent = gemms(case, Design(Blocked(2, 3, block=6), OPT1), rng)
    assert [gemm.size[1] for gemm in sent] == [13, 12]
    assert np.count_nonzero(sent[1].A.any(axis=1)) == 1


def test_a_k_of_several_blocks_keeps_to_what_is_allowed(rng):
    assert not blocks(DESIGN)
    assert not blocks(Design(Blocked(2, 3, block=1024), OPT1))
    design = Design(Blocked(2, 3, block=100), MAC, a=4, b=4, acc=8)
    (case,) = blocks(design)
    assert case.size[1] == design.max_k == 1
    assert [gemm.size[1] for gemm in gemms(case, design, rng)] == [1, 1]
    (case,) = blocks(Design(Blocked(2, 3, block=6), OPT1), gemm=(2, 4, 3))
    assert case.size == (2, 4, 3)
