import numpy as np
import pytest

from bitweight import ENCODINGS, OPT1, Design, IllegalMove, Int, SystolicOS, catalog, find_design
from bitweight.notation import gemm, hoist
from bitweight.pe import multiply_accumulate
from bitweight.pe.carry_save import CarrySaveMac
from bitweight.pe.mac import OperatorMac
from bitweight.tpe.output_stationary import OutputStationaryArray


@pytest.mark.parametrize("name", catalog)
def test_parameters_round_trip(name):
    design = catalog[name]
    assert design.name == name
    again = Design.from_dict(design.to_dict())
    assert again == design and again.name == name


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, design in catalog.items()
        if isinstance(design.array, OutputStationaryArray)
        and name.endswith("-small")
        and design.nest.passes == 1
    ],
)
def test_packed_beats_hold_every_product(name, rng):
    """Beats are the operands tile by tile: multiplied out in their order they give the result."""
    design = catalog[name]
    rows, cols, lanes = design.array.shape
    for M, N, K in [(1, 1, 1), (9, 7, 5), (4, 3, 2), (5, 3, 12)]:
        A = rng.integers(-128, 128, (M, K))
        B = rng.integers(-128, 128, (K, N))
        beats = design.pack(A, B)
        ends = np.flatnonzero(beats.a.last) + 1
        np.testing.assert_array_equal(beats.a.last, beats.b.last)
        passes = design.nest.passes  # over each tile, all alike
        assert len(ends) * rows == passes * design.output_beats(M, N)
        a = np.split(beats.a.data.reshape(-1, rows, lanes), ends[:-1])[::passes]
        b = np.split(beats.b.data.reshape(-1, cols, lanes), ends[:-1])[::passes]
        tiles = [np.einsum("kil,kjl->ij", x, y) for x, y in zip(a, b, strict=True)]
        C = design.unpack(np.concatenate(tiles), M, N)
        assert C.dtype == np.int32
        np.testing.assert_array_equal(C, A @ B)
        np.testing.assert_array_equal(C, design.reference(A, B))


@pytest.mark.parametrize("name", [n for n in catalog if n.endswith("-small")])
def test_the_nest_multiplies_like_the_reference(name, rng):
    design = catalog[name]
    A, B = rng.integers(-128, 128, (6, 11)), rng.integers(-128, 128, (11, 5))
    np.testing.assert_array_equal(design.nest.execute(A, B), design.reference(A, B))


def test_max_k_is_exact():
    for a, b, acc in [(8, 8, 32), (8, 8, 16), (2, 2, 4), (4, 6, 12), (16, 16, 33)]:
        design = Design(SystolicOS(2, 2), OPT1, a, b, acc)
        k = design.max_k
        worst = np.full((1, k), design.a.min), np.full((k, 1), design.b.min)
        assert design.reference(*worst) == k * design.a.min * design.b.min
        longer = np.full((1, k + 1), design.a.min), np.full((k + 1, 1), design.b.min)
        with pytest.raises(ValueError, match=f"K must be at most {k} .*, not {k + 1}"):
            design.reference(*longer)
        assert design.reference(*longer, wrap=True) < 0


def test_the_nest_chooses_the_hardware():
    """Not the name: a MAC whose adder is moved by hand becomes a carry-save PE."""
    plain = SystolicOS(2, 2).place(gemm(Int(8), Int(8), 32, ENCODINGS["mbe"]))
    assert isinstance(multiply_accumulate(plain, "operator"), OperatorMac)
    assert isinstance(multiply_accumulate(hoist(plain, "add", "k"), "operator"), CarrySaveMac)


BAD = {
    "array": (lambda: Design("cube"), TypeError, "array must be one of .*, not 'cube'"),
    "mac": (lambda: Design(SystolicOS(), "opt1"), TypeError, "mac must be .*, not 'opt1'"),
    "width 1": (lambda: Int(1), ValueError, "from 2 to 16, not 1"),
    "width 17": (lambda: Design(SystolicOS(), a=17), ValueError, "width of a .*, not 17"),
    "width text": (lambda: Design(SystolicOS(), b="8"), TypeError, "width of b .*, not '8'"),
    "width bool": (lambda: Design(SystolicOS(), b=True), TypeError, "width of b .*, not True"),
    "acc small": (lambda: Design(SystolicOS(), acc=15), ValueError, "acc .* 16 to 64, not 15"),
    "acc large": (lambda: Design(SystolicOS(), acc=65), ValueError, "acc .* 16 to 64, not 65"),
    "acc float": (lambda: Design(SystolicOS(), acc=32.0), TypeError, "acc .*, not 32.0"),
    "rows zero": (lambda: SystolicOS(rows=0), ValueError, "rows of systolic-os .*, not 0"),
    "cols float": (lambda: SystolicOS(cols=2.5), TypeError, "cols of systolic-os .*, not 2.5"),
    "encoding": (lambda: Design(SystolicOS(), encoding="x"), ValueError, "encoding .*, not 'x'"),
    "style": (lambda: Design(SystolicOS(), style="x"), ValueError, "style must be .*, not 'x'"),
    "name": (lambda: Design(SystolicOS(), name="a b"), ValueError, "name must be .*, not 'a b'"),
    "unknown": (lambda: find_design("x"), ValueError, "design must be one of .*, not 'x'"),
    "parameter": (
        lambda: Design.from_dict({"array": "systolic-os", "depth": 3}),
        ValueError,
        "parameter must be one of array, rows, cols, .*, not 'depth'",
    ),
    "no array": (lambda: Design.from_dict({}), ValueError, "array must be .*, not None"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_parameters(case):
    make, error, message = BAD[case]
    with pytest.raises(error, match=message):
        make()


BAD_MATRICES = {
    "list": ([[1]], TypeError, "A must be a NumPy array of integers, not 'list'"),
    "float": (np.ones((2, 2)), TypeError, "integers, not 'float64'"),
    "bool": (np.ones((2, 2), dtype=bool), TypeError, "integers, not 'bool'"),
    "vector": (np.ones(2, dtype=int), ValueError, r"matrix .*, not \(2,\)"),
    "empty": (np.ones((0, 2), dtype=int), ValueError, r"matrix .*, not \(0, 2\)"),
    "too high": (np.full((2, 2), 128), ValueError, "from -128 to 127, not 128"),
    "too low": (np.full((2, 2), -129), ValueError, "from -128 to 127, not -129"),
    "shapes": (np.ones((2, 3), dtype=int), ValueError, "B must have 3 rows, .*, not 2"),
    "unsigned": (np.full((2, 2), 200, dtype=np.uint8), ValueError, "to 127, not 200"),
}


@pytest.mark.parametrize("case", BAD_MATRICES)
@pytest.mark.parametrize("method", ["reference", "pack", "cycles"])
def test_bad_matrices(case, method):
    A, error, message = BAD_MATRICES[case]
    with pytest.raises(error, match=message):
        getattr(catalog["systolic-os-mac"], method)(A, np.ones((2, 2), dtype=int))


def test_results_of_the_wrong_shape():
    with pytest.raises(ValueError, match=r"must be \(8, 3\), not \(4, 3\)"):
        catalog["systolic-os-mac-small"].unpack(np.zeros((4, 3), dtype=int), 5, 3)


def test_pairs_that_do_not_go_together_say_why():
    for name in ("systolic-os-opt2", "matrix2d-opt2-small"):
        with pytest.raises(ValueError, match=r"does not go with opt2: .* no spatial loop over k"):
            find_design(name)
        assert name.removesuffix("-small") not in catalog


def test_an_illegal_transformation_is_refused():
    from bitweight.notation import Transformation

    twice = Transformation("twice", "opt1 of opt1", lambda nest: OPT1(OPT1(nest)))
    with pytest.raises(IllegalMove, match="twice: opt1: add runs in no"):
        Design(SystolicOS(2, 2), twice)
