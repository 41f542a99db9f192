import gc
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bitweight import Design, catalog
from bitweight.emit import emit, verilog

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", catalog)
def test_gen_is_not_stale(name):
    """`make gen` refreshes what is compared here, byte for byte."""
    for file, text in emit(catalog[name]).files().items():
        assert (ROOT / "gen" / file).read_text(encoding="utf-8") == text, f"run make gen: {file}"


def test_gen_holds_nothing_else():
    expected = {f"{d.top}.{kind}" for d in catalog.values() for kind in ("v", "json", "core")}
    assert {path.name for path in (ROOT / "gen").iterdir()} == expected


def module_names(design: Design) -> list[str]:
    emission = emit(design)
    modules = re.findall(r"^module (\S+?)\(", emission.verilog, flags=re.M)
    assert sorted(modules) == sorted(emission.modules)
    return [name.removeprefix(emission.top) for name in emission.modules]


@pytest.mark.parametrize("name", [n for n in catalog if f"{n}-small" in catalog])
def test_modules_are_distinct_blocks_whatever_the_size(name):
    design = catalog[name]
    assert module_names(design) == module_names(catalog[f"{name}-small"])


def test_blocks_are_instantiated_not_copied():
    emission = emit(catalog["systolic-os-opt1"])
    for parent, child in (("_column", "_pe"), ("", "_column")):
        body = emission.verilog.split(f"module {emission.top}{parent}(")[1].split("endmodule")[0]
        assert len(re.findall(rf"^  {emission.top}{child} +\S+ \(", body, flags=re.M)) == 16


def test_text_is_the_same_in_another_process(tmp_path):
    script = (
        "from bitweight import catalog; from bitweight.emit import emit;"
        "print(emit(catalog['systolic-os-opt1-small']).verilog, end='')"
    )
    text = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONHASHSEED": "1", "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert text == emit(catalog["systolic-os-opt1-small"]).verilog
    assert str(ROOT) not in text and "src" not in text and "site-packages" not in text


def test_manifest_describes_the_ports():
    emission = emit(catalog["systolic-os-opt1-small"])
    manifest = json.loads(json.dumps(emission.manifest))
    assert manifest["design"] == catalog["systolic-os-opt1-small"].to_dict()
    header = emission.verilog.split(f"module {emission.top}(")[1]
    body = header.split("endmodule")[0]
    for port in manifest["ports"]:
        width = f"[{port['width'] - 1}:0] " if port["width"] > 1 else ""
        assert f"  {port['direction']}put {width}{port['name']};" in body
    names = {port["name"] for port in manifest["ports"]}
    assert names == {name.strip() for name in header.split(")")[0].split(",")}
    assert manifest["latency"] == catalog["systolic-os-opt1-small"].array.latency(
        catalog["systolic-os-opt1-small"].nest
    )
    assert manifest["max_k"] == 131071
    assert set(manifest["packing"]) == set(manifest["streams"]) == {"a", "b", "c"}


def test_reset_reaches_only_what_needs_it():
    text = emit(catalog["systolic-os-opt1-small"]).verilog
    pe = text.split("module systolic_os_opt1_small_pe(")[1].split("endmodule")[0]
    # The operand a, last and done; neither b nor the accumulator.
    assert len(re.findall(r"= rst \? ", pe)) == 3


@pytest.mark.parametrize("array", ["systolic-os", "matrix2d"])
def test_a_large_array_takes_no_more_modules(array):
    small = catalog[f"{array}-opt1-small"]
    start = time.monotonic()
    large = emit(small.with_(rows=64, cols=64))
    print(f"64 × 64: {time.monotonic() - start:.1f} s")
    assert len(large.modules) == len(emit(small).modules)
    assert len(large.verilog) < 1_000_000


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("failing", [True, False])
def test_garbage_collection_is_paused_and_restored(enabled, failing, monkeypatch):
    def convert(*_, **__):
        assert not gc.isenabled()
        if failing:
            raise RuntimeError("no text")
        return ""

    monkeypatch.setattr(verilog.rtlil, "convert", convert)
    monkeypatch.setattr(verilog._Yosys, "verilog", lambda _: "")
    component = catalog["systolic-os-opt1-small"].create()
    (gc.enable if enabled else gc.disable)()
    try:
        if failing:
            with pytest.raises(RuntimeError, match="no text"):
                verilog.to_verilog(component, "top")
        else:
            verilog.to_verilog(component, "top")
        assert gc.isenabled() == enabled
    finally:
        gc.enable()


@pytest.mark.parametrize("text", ["nonsense", "nonsense\n" * 100_000])
def test_yosys_is_quoted_when_it_fails(text, monkeypatch):
    monkeypatch.setattr(verilog.rtlil, "convert", lambda *_, **__: text)
    with pytest.raises(RuntimeError, match=r"^Yosys could not write Verilog: ERROR: Parser error"):
        verilog.to_verilog(catalog["systolic-os-opt1-small"].create(), "top")


@pytest.mark.parametrize("name", [n for n in catalog if n.endswith("-small")])
def test_no_signal_is_called_as_a_keyword_or_not_at_all(name):
    """Yosys writes both as escaped identifiers, which are hard to read and to use."""
    text = emit(catalog[name]).verilog
    assert not re.findall(r"\\(?:[A-Za-z_]\w*|\$signal\S*) ", text)
