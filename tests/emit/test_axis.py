"""AXI4-Stream wrappers: cocotbext-axi agrees with NumPy through them, under both simulators."""

import contextlib
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bitweight import MAC, OPT1, OPT4C, Column, Cube, Design, SystolicOS, catalog
from bitweight.emit import axis_streams, emit
from bitweight_verif.simulators import build_program, make_runner

HERE = Path(__file__).parent
DESIGNS = [
    # Operands of one and two bytes with bits to spare, results of three bytes with four to spare.
    Design(SystolicOS(3, 2), OPT1, a=6, b=9, acc=20, name="odd"),
    # Nothing to spare.
    Design(Cube(2, 2, 2), MAC, acc=32, name="even"),
    # Results wider than 32 bits, and cycles that depend on A.
    Design(Column(2, group=2, block=8, depth=1), OPT4C, a=8, b=5, acc=37, name="sparse"),
]
PAUSES = [(0, 0, 0), (0, 0, 0.6), (0.4, 0.2, 0.3)]
"""Shares of cycles in which a, b and c stand still."""


RUNS = [(design, "icarus") for design in DESIGNS] + [(DESIGNS[0], "verilator")]


@pytest.mark.parametrize("design, sim", RUNS, ids=lambda one: getattr(one, "name", one))
def test_products_through_axi(design, sim, tmp_path, rng):
    emission = emit(design, wrap="axis")
    wrapper = emission.wrapper
    for name, text in emission.sources().items():
        (tmp_path / name).write_text(text)
    log = tmp_path / "build.log"
    if sim == "verilator":
        ports = [port["name"] for port in wrapper.manifest["ports"]]
        build_program(wrapper.verilog + emission.verilog, wrapper.top, ports, tmp_path, log)
    else:
        make_runner(sim).build(
            sources=[tmp_path / name for name in emission.sources()],
            hdl_toplevel=wrapper.top,
            build_dir=tmp_path,
            always=True,
            timescale=("1ns", "1ps"),
            log_file=log,
        )
    spec = {
        "design": design.to_dict(),
        "wrapper": wrapper.manifest,
        "pauses": PAUSES,
        "sizes": [(5, 9, 3), (2, 1, 2), (4, 6, 5)],
        "seed": int(rng.integers(1 << 31)),
    }
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    results, log = tmp_path / "results.xml", tmp_path / "simulation.log"
    with contextlib.suppress(SystemExit):  # what failed is in the results
        make_runner(sim).test(
            test_module="axis_bench",
            hdl_toplevel=wrapper.top,
            hdl_toplevel_lang="verilog",
            build_dir=tmp_path,
            test_dir=HERE,
            results_xml=str(results),
            extra_env={"AXIS_SPEC": str(tmp_path / "spec.json")},
            log_file=log,
        )
    assert not ElementTree.parse(results).findall(".//failure"), log.read_text()[-2000:]


@pytest.mark.parametrize("name", ["column-opt3-small", "laconic-small", "systolic-ws-mac-small"])
def test_the_engine_is_the_same_with_and_without(name):
    plain, wrapped = emit(catalog[name]), emit(catalog[name], wrap="axis")
    assert wrapped.verilog == plain.verilog and plain.wrapper is None
    assert set(wrapped.files()) - set(plain.files()) == {f"{plain.top}_axis.v"}
    manifest = dict(wrapped.manifest)
    wrapper = manifest.pop("wrapper")
    assert manifest == plain.manifest
    header = wrapped.wrapper.verilog.split(");", 1)[0]
    declared = re.findall(r"(in|out)put (?:\[(\d+):0\] )?(\w+)", header)
    assert declared == [
        (port["direction"], str(port["width"] - 1) if port["width"] > 1 else "", port["name"])
        for port in wrapper["ports"]
    ]


def test_lanes_are_whole_bytes():
    streams = {stream.prefix: stream for stream in axis_streams(DESIGNS[0])}
    assert {name: (stream.lane_bytes, stream.width) for name, stream in streams.items()} == {
        "s_axis_a": (1, 24),
        "s_axis_b": (2, 32),
        "m_axis_c": (3, 48),
    }


def test_an_unknown_wrapper_is_refused():
    with pytest.raises(ValueError, match="wrap must be one of axis, not 'wishbone'"):
        emit(DESIGNS[0], wrap="wishbone")
