"""The job as a whole, on small engines: real simulation, real synthesis, real report."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

import bitweight
from bitweight.demo import report
from bitweight.demo.__main__ import main
from bitweight.demo.hardware import classify_on
from bitweight.demo.job import run
from bitweight.sim import CompiledDesign
from bitweight.workload import Mismatch
from bitweight.workload.images import load_images
from bitweight.workload.perceptron import quantise, train

SMALL = ("systolic-os-mac-small", "systolic-os-opt1-small")
QUICK = {"stretch": (1.0,), "operators": (("booth", "brent-kung"),)}


@pytest.fixture(scope="module")
def network():
    images = load_images(10)
    return images, quantise(train(images, (8,), epochs=5), images.train_x)


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports")
    screen = io.StringIO()
    record = run(
        images=10,
        hidden=(8,),
        designs=SMALL,
        technologies=["generic"],
        reports=folder,
        console=Console(file=screen, width=80),
        **QUICK,
    )
    return record, folder, screen.getvalue()


def test_both_engines_classify_as_numpy_does(result):
    record = result[0]
    assert [one["design"]["name"] for one in record["engines"]] == list(SMALL)
    for one in record["engines"]:
        assert one["accuracy"] == record["int8_accuracy"]
        assert [(p["m"], p["k"], p["n"]) for p in one["products"]] == [(10, 64, 8), (10, 8, 10)]
        assert one["macs"] == 10 * (64 * 8 + 8 * 10)
        assert one["cycles"] == sum(p["cycles"] for p in one["products"])
        assert one["utilisation"] == pytest.approx(one["macs"] / one["cycles"] / 12)


def test_ratio_is_against_the_best_of_all_that_was_measured(result):
    [cost] = result[0]["costs"]
    pe = cost["pe"]
    points = [(p["made_as"], 1 / (p["area"] * p["min_period_ns"])) for p in pe["measured"]]
    plain = {label: value for label, value in points if label != "opt1"}
    assert set(plain) == {
        "operator/booth/brent-kung",
        "fused-sklansky",
        "fused-kogge-stone",
        "fused-brent-kung",
    }
    assert pe["baseline"]["made_as"] == max(plain, key=plain.get)
    assert pe["ratio"] == pytest.approx(dict(points)["opt1"] / max(plain.values()))
    assert pe["ratio"] > 1
    assert cost["array"]["baseline"]["made_as"] == pe["baseline"]["made_as"]
    assert cost["array"]["design"]["area"] > 12 * pe["design"]["area"] * 0.8


def test_what_is_printed_and_written_comes_from_the_record(result):
    record, folder, screen = result
    assert sorted(path.name for path in folder.iterdir()) == ["digits.json", "digits.md"]
    written = json.loads((folder / "digits.json").read_text(encoding="utf-8"))
    assert written == json.loads(json.dumps(record))
    text = (folder / "digits.md").read_text(encoding="utf-8")
    assert text == report.markdown(written)
    ratio = f"{record['costs'][0]['pe']['ratio']:.2f}×"
    for needed in (ratio, "bit for bit", "paper", record["costs"][0]["pe"]["baseline"]["made_as"]):
        assert needed in text
        assert needed in screen
    assert "digits on systolic-os-opt1-small" in screen


def wrong_in_one_bit(monkeypatch, at):
    genuine = CompiledDesign.gemm

    def flipped(*given, **rest):
        C, stats = genuine(*given, **rest)
        C[at] ^= 1 << 20
        return C, stats

    monkeypatch.setattr(CompiledDesign, "gemm", flipped)


def test_a_wrong_element_ends_the_job(monkeypatch, network):
    images, integers = network
    wrong_in_one_bit(monkeypatch, (3, 2))
    where = r"systolic-os-mac-small, layer 1: element \[3, 2\] must be -?\d+, not -?\d"
    with pytest.raises(Mismatch, match=where):
        classify_on(bitweight.compile(SMALL[0]), integers, images.test_x)


def test_a_wrong_cycle_count_ends_the_job(monkeypatch, network):
    images, integers = network
    genuine = CompiledDesign.gemm

    def slower(*given, **rest):
        C, stats = genuine(*given, **rest)
        return C, replace(stats, cycles=stats.cycles + 1)

    monkeypatch.setattr(CompiledDesign, "gemm", slower)
    with pytest.raises(Mismatch, match=r"layer 1: it must take \d+ cycles, not \d+"):
        classify_on(bitweight.compile(SMALL[1]), integers, images.test_x)


def test_the_command_fails_with_one_line_and_writes_nothing(monkeypatch, capsys, tmp_path):
    wrong_in_one_bit(monkeypatch, (0, 0))
    designs = [word for name in SMALL for word in ("--design", name)]
    options = ["--images", "5", "--tech", "generic", "-o", str(tmp_path / "new")]
    assert main([*designs, *options]) == 1
    error = capsys.readouterr().err.strip()
    assert error.startswith("bitweight: systolic-os-mac-small, layer 1: element [0, 0]")
    assert "\n" not in error
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--images", "0"], "images must be an integer from 1 to 898, not 0"),
        (["--design", "nothing", "--design", "systolic-os-mac"], "not 'nothing'"),
        (["--design", "systolic-os-mac"], "designs must be two, not 1"),
        (["--tech", "paper"], "not 'paper'"),
        (["-o", os.devnull], "reports must be a writable folder"),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_importing_the_package_loads_nothing_heavy():
    code = (
        "import sys, bitweight.demo; print([m for m in ('sklearn', 'cocotb') if m in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"


def test_the_report_is_made_from_the_record():
    """From nothing else: what is committed, or what `make` has just written, fits together."""
    reports = Path(__file__).parents[2] / "reports"
    record = json.loads((reports / "digits.json").read_text(encoding="utf-8"))
    made = (reports / "digits.md").read_text(encoding="utf-8")
    assert made == report.markdown(record)
    rows = report.short(record).splitlines()
    assert len(rows) == 2 + 2 * len(record["costs"])
    for cost in record["costs"]:
        assert any(f"{cost['pe']['ratio']:.2f}×" in row for row in rows)
