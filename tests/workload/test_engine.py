"""Workloads on simulated engines: bit for bit, with the figures of the record, and resumed."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

import bitweight
from bitweight import OPT1, Design, SystolicOS, catalog
from bitweight.arith import ENCODINGS
from bitweight.emit import emit
from bitweight.sim import Cache, CompiledDesign
from bitweight.stats import digit_statistics
from bitweight.workload import (
    Engine,
    Mismatch,
    Product,
    Workload,
    numpy_product,
    run,
    tables,
    transformer,
)
from bitweight.workload.encoder import gaussian_layer

SMALL = ("systolic-os-opt1-small", "bitslice-opt4c-small", "laconic-small")
TINY = {"sequence": 5, "hidden": 8, "heads": 2, "wide": 12}


def product(rng, m, k, n, layer="one"):
    A, B = rng.integers(-127, 128, (m, k)), rng.integers(-127, 128, (k, n))
    return Product(layer, A.astype(np.int8), B.astype(np.int8), ("left", "right"))


@pytest.fixture(scope="module")
def record():
    return run(transformer(gaussian_layer(**TINY)), SMALL)


def test_every_product_of_the_layer_is_there(record):
    for engine, name in zip(record["engines"], SMALL, strict=True):
        assert engine["design"] == catalog[name].to_dict()
        layers = {
            one["layer"]: (one["gemms"], one["m"], one["k"], one["n"]) for one in engine["layers"]
        }
        assert layers == {
            "query": (1, 5, 8, 8),
            "key": (1, 5, 8, 8),
            "value": (1, 5, 8, 8),
            "scores": (2, 5, 4, 5),
            "attention × value": (2, 5, 5, 4),
            "output": (1, 5, 8, 8),
            "feed-forward 1": (1, 5, 8, 12),
            "feed-forward 2": (1, 5, 12, 8),
        }
        for what in ("cycles", "macs"):
            assert engine[what] == sum(one[what] for one in engine["layers"])
        assert engine["macs"] == record["macs"]


def test_figures_of_a_layer_are_those_of_its_operands(record):
    products = []

    def note(one):
        products.append(one)
        return numpy_product(one)

    transformer(gaussian_layer(**TINY)).run(note)
    for engine, name in zip(record["engines"], SMALL, strict=True):
        design = catalog[name]
        encoding = ENCODINGS[engine["encoding"]]
        for layer in engine["layers"]:
            mine = [one for one in products if one.layer == layer["layer"]]
            assert layer["cycles"] == sum(design.cycles(one.A, one.B) for one in mine)
            swapped = sum(design.cycles(one.B.T, one.A.T) for one in mine)
            assert layer["swapped_cycles"] == swapped
            whole = [np.concatenate([getattr(one, side).ravel() for one in mine]) for side in "AB"]
            digits = [digit_statistics(one[None], encoding, design.a).mean for one in whole]
            assert layer["digits"] == pytest.approx(digits)
            better = (layer["cycles"], digits[0]) <= (swapped, digits[1])
            assert layer["better_to_encode"] == layer["operands"][0 if better else 1]


@pytest.mark.parametrize("name", SMALL)
def test_swapped_cycles_are_those_of_the_hardware(name, rng):
    rtl = bitweight.compile(name)
    one = product(rng, 7, 30, 5)
    engine = Engine(rtl)
    np.testing.assert_array_equal(engine.multiply(one), numpy_product(one))
    C, stats = rtl.gemm(one.B.T, one.A.T)
    np.testing.assert_array_equal(C, numpy_product(one).T)
    assert engine.runs[0].swapped_cycles == stats.cycles


@pytest.mark.parametrize(
    "name",
    [
        "systolic-os-mac-small",
        "cube-opt2-temporal-small",
        "bitslice-opt4c-small",
        "bitslice-opt4e-small",
    ],
)
def test_utilisation_is_the_share_of_work(name, rng):
    """Where nothing is padded, it is what the model of the array calls work."""
    design, one = catalog[name], product(rng, 12, 96, 12)
    engine = Engine(bitweight.compile(design))
    engine.multiply(one)
    [done] = engine.runs
    share = design.activity(one.A, one.B).shares["work"]
    assert done.work / (done.cycles * design.lanes) == pytest.approx(share)


def test_work_of_an_array_that_recodes_both_operands(rng):
    engine, one = Engine(bitweight.compile("laconic-small")), product(rng, 3, 9, 4)
    engine.multiply(one)
    digits = [
        np.count_nonzero(engine.encoding.recode(x.astype(int), 8), axis=2) for x in (one.A, one.B)
    ]
    assert engine.runs[0].work == (digits[0] @ digits[1]).sum()


def broken() -> CompiledDesign:
    """Return a small design whose Verilog subtracts once where it should add."""
    emission = emit(Design(SystolicOS(2, 3)))
    text, count = re.subn(r"(= \$signed\(\S+ \)) \+ ", r"\1 - ", emission.verilog, count=1)
    assert count == 1
    return CompiledDesign(Design(SystolicOS(2, 3)), emission=replace(emission, verilog=text))


def test_a_wrong_result_is_caught_and_not_kept(rng, tmp_path):
    rtl, one = broken(), product(rng, 6, 9, 7, "layer 2")
    cache = Cache(tmp_path)
    where = r"systolic-os-mac, layer 2: element \[\d, \d\] must be -?\d+, not -?\d+ \(\d+ of 42 "
    for _ in range(2):
        with pytest.raises(Mismatch, match=where):
            Engine(rtl, cache).multiply(one)
    assert not list(tmp_path.rglob("product.json"))
    workload = Workload("one", "One product.", lambda multiply: {"sum": int(multiply(one).sum())})
    with pytest.raises(Mismatch, match=where):
        run(workload, [rtl], cache=cache)


def test_other_cycles_than_those_of_the_model_are_caught(rng, tmp_path):
    # The Verilog of an array with one more stage in its adder, under another description.
    slower = emit(Design(SystolicOS(2, 3, adder_stages=2), OPT1))
    rtl = CompiledDesign(Design(SystolicOS(2, 3), OPT1), emission=slower)
    with pytest.raises(Mismatch, match=r"one: it must take \d+ cycles, not \d+"):
        Engine(rtl, Cache(tmp_path)).multiply(product(rng, 6, 9, 7))


def test_interrupted_work_goes_on_where_it_was(monkeypatch, tmp_path):
    workload = transformer(gaussian_layer(**TINY))
    rtl = bitweight.compile(SMALL[0])
    cache, calls, genuine = Cache(tmp_path), [], CompiledDesign.gemm

    def interrupted(*given, **rest):
        calls.append(given)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return genuine(*given, **rest)

    monkeypatch.setattr(CompiledDesign, "gemm", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(workload, [rtl], cache=cache)
    whole = run(workload, [rtl], cache=cache)
    assert len(calls) == 1 + 10  # of ten products one was begun twice
    assert run(workload, [rtl], cache=cache) == whole and len(calls) == 11
    changed = run(transformer(gaussian_layer(**TINY, seed=1)), [rtl], cache=cache)
    assert len(calls) == 21 and changed["figures"] != whole["figures"]


def test_progress_reaches_the_total(record):
    seen = []
    run(
        transformer(gaussian_layer(**TINY)),
        [SMALL[0]],
        progress=lambda name, done, total: seen.append((name, done, total)),
    )
    assert {name for name, _, _ in seen} == {SMALL[0]}
    assert seen == sorted(seen) and seen[-1][1] == seen[-1][2] == record["macs"] // 1000


def test_the_report_is_made_from_the_record(record):
    written = json.loads(json.dumps(record))
    text = tables.markdown(written)
    for engine in written["engines"]:
        for row in tables.layer_rows(engine):
            assert f"| {' | '.join(row)} |" in text
        assert f"{engine['cycles']:,}" in text
    assert "seeded Gaussian ones, not trained" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nope", SMALL), "workload must be one of digits, conv, transformer, not 'nope'"),
        ((transformer(gaussian_layer(**TINY)), []), r"designs must be at least one, not \[\]"),
        ((transformer(gaussian_layer(**TINY)), ["nope"]), "design must be one of .*, not 'nope'"),
        (
            (transformer(gaussian_layer(**TINY)), [Design(SystolicOS(2, 3), a=4)]),
            "systolic-os-mac, query: elements of A must be from -8 to 7, not -?127",
        ),
        (
            (transformer(gaussian_layer(**TINY)), [Design(SystolicOS(2, 3), acc=16)]),
            "systolic-os-mac, query: K must be an integer from 1 to 1, not 8",
        ),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        run(*arguments)
