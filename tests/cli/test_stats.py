"""`bitweight stats`: figures against counts by hand and by NumPy, pictures, bad input."""

import io
import json
import re
import struct
import sys
from contextlib import redirect_stderr, redirect_stdout

import numpy as np
import pytest

from bitweight import ENCODINGS, Design, Int, SystolicOS, catalog
from bitweight.cli import main
from bitweight.stats import (
    Statistics,
    default_size,
    digit_statistics,
    draw_normal,
    draw_quantised,
    load_matrix,
    measure,
)
from bitweight.stats.plot import COLOURS, picture
from bitweight.tpe.activity import KINDS, Activity

NAME = "systolic-os-mac-small"


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run the command in an empty folder; return its status, output and error output."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        output, errors = io.StringIO(), io.StringIO()
        with pytest.raises(SystemExit) as end, redirect_stdout(output), redirect_stderr(errors):
            main(["stats", *arguments])
        return end.value.code or 0, output.getvalue(), errors.getvalue()

    return call


# --- digits and cycles -----------------------------------------------------------------------


def test_digits_by_hand():
    # Booth: 2 = 4 - 2, 127 = 2·64 - 1, 85 = 64 + 16 + 4 + 1.
    A = np.array([[0, 1, 2], [-1, 127, 85]])
    digits = digit_statistics(A, ENCODINGS["mbe"], Int(8))
    assert digits.operands == 6 and digits.mean == 10 / 6
    assert digits.distribution.tolist() == [1, 2, 2, 0, 1]
    assert digits.by_weight.tolist() == [5, 2, 1, 2]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("bits", [2, 7, 16])
def test_digits_against_recoding_every_operand(encoding, bits, rng):
    A = rng.integers(Int(bits).min, Int(bits).max + 1, (20, 31))
    digits = digit_statistics(A, ENCODINGS[encoding], Int(bits))
    used = ENCODINGS[encoding].recode(A, bits) != 0
    assert digits.by_weight.tolist() == used.sum(axis=(0, 1)).tolist()
    counts = np.bincount(used.sum(axis=-1).ravel(), minlength=used.shape[-1] + 1)
    assert digits.distribution.tolist() == counts.tolist()
    assert digits.mean == pytest.approx(used.sum() / A.size)


def test_rates_by_hand():
    design = Design(SystolicOS(rows=3, cols=2))
    A, B = np.ones((5, 4), dtype=int), np.ones((4, 3), dtype=int)
    result = measure(design, A, B)
    cycles = design.cycles(A, B)
    assert result.size == (5, 4, 3) and result.cycles == cycles
    assert result.cycles_per_mac == pytest.approx(cycles * 6 / 60)
    assert result.useful_macs_per_cycle == pytest.approx(60 / cycles)
    # 2 × 2 tiles of 4 steps.
    assert result.utilisation == dict.fromkeys(("busiest", "average", "idlest"), 16 / cycles)


def test_an_array_may_have_an_encoding_of_its_own(run, monkeypatch):
    arguments = (NAME, "--sigma", "20", "--seed", "5")
    monkeypatch.setattr(SystolicOS, "own_encoding", "serial")
    digits = json.loads(run(*arguments, "--json")[1])["digits"]
    assert digits["encoding"] == "serial" and len(digits["by_weight"]) == 8
    text = run(*arguments)[1]
    assert f"{digits['mean']:.3f} (serial, " in text and " 2^7 " in text
    assert json.loads(run(*arguments, "--set", "encoding=mbe", "--json")[1])["digits"] == digits


def uneven(units=4):
    """Return statistics of units that work 10, 20, ... of the cycles."""
    A = np.arange(-8, 8).reshape(4, 4)
    work = 10 * np.arange(1, units + 1)
    fill = np.full(units, 5)
    sync = 10 * units - work
    zero = np.zeros(units, dtype=int)
    spent = {"work": work, "sync": sync, "conflict": zero, "drain": zero, "fill": fill}
    activity = Activity(10 * units + 5, spent)
    digits = digit_statistics(A, ENCODINGS["mbe"], Int(8))
    return Statistics(catalog[NAME], (4, 4, 4), digits, activity)


def test_units_at_different_paces():
    used = uneven().utilisation
    assert used == {"busiest": 40 / 45, "average": 25 / 45, "idlest": 10 / 45}


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("systolic-os-mac-small", (4, 256, 3)),
        ("cube-opt1", (8, 256, 8)),
        ("adder-tree-mac-small", (5, 256, 3)),  # a block of 5 rows
    ],
)
def test_default_size(name, size):
    assert default_size(catalog[name]) == size


def test_default_size_never_wraps():
    assert default_size(Design(SystolicOS(2, 2), acc=20))[1] == 31


# --- operands --------------------------------------------------------------------------------


@pytest.mark.parametrize(("bits", "sigma"), [(8, 20.0), (8, 50.0), (4, 0.7), (4, 5.0)])
def test_normal_operands_are_as_if_drawn_again(bits, sigma, rng):
    operand, size = Int(bits), 400_000
    again = np.rint(rng.normal(0, sigma, 4 * size)).astype(int)
    again = again[(again >= operand.min) & (again <= operand.max)][:size]
    drawn = draw_normal(rng, (400, 1000), operand, sigma)
    edges = np.arange(operand.min, operand.max + 2)
    expected, found = (np.histogram(x, edges)[0] for x in (again, drawn))
    # Of the difference of two counts the variance is their sum.
    worst = np.abs(expected - found) / np.sqrt(expected + found + 1)
    assert len(again) == size and worst.max() < 6


def test_normal_operands_of_extreme_deviation(rng):
    assert not draw_normal(rng, (9, 9), Int(8), 1e-9).any()
    flat = np.bincount(draw_normal(rng, (100, 1000), Int(4), 1e30).ravel() + 8)
    assert len(flat) == 16 and abs(flat / 6250 - 1).max() < 0.1


@pytest.mark.parametrize(
    ("encoding", "sigma", "mean"),
    [
        ("mbe", 10, 1.93),
        ("mbe", 20, 2.29),
        ("mbe", 50, 2.77),
        ("ent", 20, 2.11),
        ("csd4", 20, 2.06),
        ("serial", 20, 3.98),
    ],
)
def test_mean_digits_of_normal_operands(encoding, sigma, mean, rng):
    A = draw_normal(rng, (1000, 1000), Int(8), sigma)
    found = digit_statistics(A, ENCODINGS[encoding], Int(8)).mean
    assert found == pytest.approx(mean, abs=0.01)


def test_quantised_operands(rng):
    A = draw_quantised(rng, (300, 300), Int(8))
    assert A.dtype == np.int64 and abs(A).max() == 127
    # The largest of 90 000 lies between 3.9 and 6 standard deviations, all but never outside.
    assert 127 / 6 < A.std() < 127 / 3.9 and abs(A.mean()) < 1


# --- the command -----------------------------------------------------------------------------


def test_json(run, rng):
    A = rng.integers(-128, 128, (5, 7)).astype(np.int16)
    np.save("A.npy", A)
    status, output, _ = run(NAME, "--matrix", "A.npy", "--gemm", "5x7x4", "--seed", "3", "--json")
    record = json.loads(output)
    design = catalog[NAME]
    B = draw_quantised(np.random.default_rng(3), (7, 4), Int(8))
    used = ENCODINGS["mbe"].recode(A, 8) != 0
    assert status == 0 and record["seed"] == 3
    assert record["design"] == design.to_dict() and record["gemm"] == [5, 7, 4]
    assert record["digits"]["operands"] == 35 and record["digits"]["encoding"] == "mbe"
    assert record["digits"]["mean"] == pytest.approx(used.sum() / 35)
    assert record["cycles"] == design.cycles(A, B)
    assert record["cycles_per_mac"] == pytest.approx(record["cycles"] * 12 / 140)
    assert list(record["activity"]) == list(record["shares"]) == list(KINDS)
    assert sum(record["shares"].values()) == pytest.approx(1)
    assert sum(spent[0] for spent in record["activity"].values()) == record["cycles"]


def test_text_says_the_same(run):
    arguments = (NAME, "--sigma", "20", "--gemm", "9x30x5", "--seed", "5")
    record = json.loads(run(*arguments, "--json")[1])
    status, text, errors = run(*arguments)
    assert (status, errors) == (0, "")
    assert "9 × 30 by 30 × 5" in text and "σ = 20" in text and "seed 5" in text
    assert f"digits per operand: {record['digits']['mean']:.3f} (mbe, 270 operands" in text
    assert f"cycles: {record['cycles']}\n" in text
    assert f"cycles per MAC: {record['cycles_per_mac']:.3f} in each of 12 lanes" in text
    part = record["utilisation"]["idlest"]
    assert f"idlest {part:.1%}" in text
    for kind, share in record["shares"].items():
        assert re.search(rf"^{kind} +{share:.1%} ", text, flags=re.M)
    for d, count in enumerate(record["digits"]["distribution"]):
        assert re.search(rf"^ +{d} +{count / 270:.1%}", text, flags=re.M)
    for i, count in enumerate(record["digits"]["by_weight"]):
        assert re.search(rf" 4\^{i} +{count / 270:.1%}", text)


def test_the_seed_repeats_a_run_and_is_printed(run):
    first = json.loads(run(NAME, "--json")[1])
    again = json.loads(run(NAME, "--seed", str(first["seed"]), "--json")[1])
    other = json.loads(run(NAME, "--seed", str(first["seed"] + 1), "--json")[1])
    assert first == again and first["digits"] != other["digits"]
    assert f"seed {first['seed']}\n" in run(NAME, "--seed", str(first["seed"]))[1]


def test_sigma_and_size_are_used(run):
    means = []
    for sigma in ("0.01", "10", "50"):
        record = json.loads(run(NAME, "--sigma", sigma, "--gemm", "64x64x2", "--json")[1])
        assert record["digits"]["operands"] == 64 * 64
        means.append(record["digits"]["mean"])
    assert means[0] == 0
    assert means[1:] == [pytest.approx(1.93, abs=0.1), pytest.approx(2.77, abs=0.1)]


def test_brackets_in_a_file_name_are_no_markup(run):
    np.save("[bold]A$^$.npy", np.ones((2, 2), dtype=int))
    status, text, _ = run(NAME, "--matrix", "[bold]A$^$.npy", "--plot", "p.png")
    assert status == 0 and "A from [bold]A$^$.npy;" in text


# --- pictures --------------------------------------------------------------------------------


def test_picture_shows_the_figures():
    result = uneven()
    left, right = picture(result, "drawn by hand").axes
    heights = [bar.get_height() for bar in left.patches]
    assert heights == pytest.approx((result.digits.distribution / 16).tolist())
    assert f"mean {result.digits.mean:.2f}" in "".join(text.get_text() for text in left.texts)
    # Kinds that no unit spends a cycle on are left out; the others are stacked up to the total.
    shown = [kind for kind, spent in result.activity.kinds.items() if spent.any()]
    bars = dict(zip(shown, right.containers, strict=True))
    for kind, container in bars.items():
        assert container.get_label() == f"{kind} {result.activity.shares[kind]:.1%}"
        counts = [bar.get_height() for bar in container]
        assert counts == result.activity.kinds[kind].tolist()
    assert [bar.get_y() for bar in bars["work"]] == [0] * 4
    assert {bar.get_y() + bar.get_height() for bar in right.containers[-1]} == {45}
    for axes in (left, right):
        assert axes.get_ylabel() and axes.get_xlabel()


@pytest.mark.parametrize("units", [1, 200])
def test_pictures_of_few_and_many_units(units):
    _, right = picture(uneven(units), "").axes
    assert all(len(container) == units for container in right.containers)
    assert set(COLOURS) == set(KINDS)


def test_plot_is_a_png(run, tmp_path):
    status, _, errors = run(NAME, "--plot", "out/p.png", "--seed", "1")
    data = (tmp_path / "out/p.png").read_bytes()
    assert (status, errors) == (0, "")
    assert data[:8] == b"\x89PNG\r\n\x1a\n" and data[-8:-4] == b"IEND"
    width, height = struct.unpack(">II", data[16:24])
    assert width > 1000 and height > 500
    run(NAME, "--plot", "out/p.png", "--seed", "1")
    assert (tmp_path / "out/p.png").read_bytes() == data
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["p.png"]


def test_a_plot_that_cannot_be_written_leaves_nothing(run, tmp_path):
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").touch()
    for place in ("folder.png", "file/p.png"):
        status, output, errors = run(NAME, "--plot", place)
        assert (status, output) == (2, "") and errors.startswith(f"bitweight: {place}: ")
    assert {path.name for path in tmp_path.iterdir()} == {"folder.png", "file"}


def test_missing_matplotlib_is_named(run, monkeypatch):
    monkeypatch.delitem(sys.modules, "bitweight.stats.plot")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.axes", None)
    status, output, errors = run(NAME, "--plot", "p.png")
    assert (status, output) == (2, "")
    assert re.fullmatch(r"bitweight: matplotlib\S* is not installed: pip install .*\n", errors)
    assert run(NAME)[0] == 0  # it is needed for nothing else


# --- bad input -------------------------------------------------------------------------------

BAD = {
    "design": (["nope"], "design must be one of .*, not 'nope'"),
    "no design": ([], "Missing argument"),
    "sigma 0": ([NAME, "--sigma", "0"], "sigma must be a number above 0, not 0.0"),
    "sigma nan": ([NAME, "--sigma", "nan"], "sigma must be a number above 0, not nan"),
    "sigma inf": ([NAME, "--sigma", "inf"], "sigma must be a number above 0, not inf"),
    "sigma text": ([NAME, "--sigma", "x"], "--sigma.*'x'"),
    "both": ([NAME, "--sigma", "1", "--matrix", "good.npy"], "--sigma or --matrix, not both"),
    "gemm": ([NAME, "--gemm", "4x4"], "--gemm must be MxKxN .*, not '4x4'"),
    "other size": (
        [NAME, "--matrix", "good.npy", "--gemm", "3x2x2"],
        r"M and K of --gemm must be those of good.npy, \(2, 3\), not \(3, 2\)",
    ),
    "large A": ([NAME, "--gemm", "8193x8192x1"], "at most 67108864 elements each, not 67117056"),
    "large B": ([NAME, "--gemm", f"1x2x{10**30}"], "at most 67108864 elements each, not 2000"),
    "K": ([NAME, "--set", "acc=16", "--gemm", "2x2x2"], "K must be at most 1 .*, not 2"),
    "seed": ([NAME, "--seed", "-1"], "--seed must be an integer at least 0, not -1"),
    "plot": ([NAME, "--plot", "p.pdf"], "--plot must be .* in .png, not 'p.pdf'"),
    "no file": ([NAME, "--matrix", "none.npy"], "none.npy: No such file"),
    "folder": ([NAME, "--matrix", "."], "Is a directory"),
    "empty": ([NAME, "--matrix", "empty.npy"], "empty.npy is not a .npy file of numbers"),
    "text": ([NAME, "--matrix", "text.npy"], "text.npy is not a .npy file of numbers"),
    "cut": ([NAME, "--matrix", "cut.npy"], "cut.npy is not a .npy file of numbers"),
    "zip": ([NAME, "--matrix", "many.npz"], "many.npz is not a .npy file of numbers"),
    "pickle": ([NAME, "--matrix", "pickle.npy"], "pickle.npy is not a .npy file of numbers"),
    "floats": ([NAME, "--matrix", "floats.npy"], "floats.npy: .*integers, not 'float64'"),
    "vector": ([NAME, "--matrix", "vector.npy"], r"vector.npy: .*, not \(3,\)"),
    "no row": ([NAME, "--matrix", "hollow.npy"], r"hollow.npy: .* at least one row.*, not \(0, 3"),
    "range": ([NAME, "--matrix", "wide.npy"], "wide.npy: .* from -128 to 127, not 128"),
}


class Trap:
    """What a pickle in a file would run."""

    def __reduce__(self):
        return (open, ("trapped", "w"))


@pytest.fixture
def files(tmp_path):
    good = np.arange(6).reshape(2, 3)
    matrices = {
        "good": good,
        "floats": good.astype(float),
        "vector": good[0],
        "hollow": good[:0],
        "wide": good + 123,
    }
    for name, matrix in matrices.items():
        np.save(tmp_path / f"{name}.npy", matrix)
    np.save(tmp_path / "pickle.npy", np.array([[Trap()]]), allow_pickle=True)
    np.savez(tmp_path / "many.npz", good)
    (tmp_path / "empty.npy").touch()
    (tmp_path / "text.npy").write_text("1 2 3\n")
    (tmp_path / "cut.npy").write_bytes((tmp_path / "good.npy").read_bytes()[:-9])
    return tmp_path


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_status_2(case, run, files):
    before = {path.name for path in files.iterdir()}
    arguments, message = BAD[case]
    status, output, errors = run(*arguments)
    assert (status, output) == (2, "")
    assert errors.startswith("bitweight: ") and errors.count("\n") == 1
    assert re.search(message, errors), errors
    assert {path.name for path in files.iterdir()} == before


def test_damaged_files_are_refused_or_read(files, rng):
    """Whatever byte is wrong: a matrix in range or one of the two errors, nothing else."""
    good = (files / "good.npy").read_bytes()
    path = files / "damaged.npy"
    refused = 0
    for _ in range(400):
        data = bytearray(good)
        data[rng.integers(len(data))] = rng.integers(256)
        path.write_bytes(data)
        try:
            matrix = load_matrix(path, Int(8))
        except (ValueError, TypeError) as error:
            assert str(path) in str(error)
            refused += 1
        else:
            assert matrix.ndim == 2 and abs(matrix).max() <= 128
    assert refused > 50


def test_help_fits_a_screen(run):
    status, text, _ = run("--help")
    lines = text.splitlines()
    assert status == 0 and 5 < len(lines) <= 40 and max(len(line) for line in lines) <= 80
