"""The tutorial of the site: its commands, one after the other, with the installed wheel."""

from __future__ import annotations

import re
import shlex
import shutil

from installed import ROOT

from bitweight.sim import CACHE_VARIABLE

DOCS = ROOT / "docs"


def commands() -> list[str]:
    page = (DOCS / "tutorial.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", page, flags=re.S)
    return [line for block in blocks for line in block.splitlines()]


def test_to_verilog_without_extras(bare, tmp_path):
    install, show, gen, *_ = commands()
    assert install == "pip install ."
    shutil.copy(DOCS / "examples" / "tutorial" / "gemm8.toml", tmp_path)
    assert "par np in 8" in bare.run(*shlex.split(show), cwd=tmp_path).stdout
    bare.run(*shlex.split(gen), cwd=tmp_path)
    verilog = (tmp_path / "out" / "gemm8.v").read_text(encoding="utf-8")
    # 8 operands of 6 bits, and `last`.
    assert "module gemm8(" in verilog and "input [48:0] a__payload;" in verilog


def test_to_a_netlist(full, model_cache, tmp_path):
    shutil.copytree(DOCS / "examples" / "tutorial", tmp_path, dirs_exist_ok=True)
    lines = [line for line in commands() if not re.match("pip|bitweight (show|gen)", line)]
    told = [
        full.run(*shlex.split(line), cwd=tmp_path, **{CACHE_VARIABLE: str(model_cache)}).stdout
        for line in lines
    ]
    verified, made, ran, checked, netlist = told
    assert re.search(r"gemm8: passed, (\d+) of \1 cases", verified)
    assert made == "" and "20 × 50 × 12" in ran and checked == "equal\n"
    assert "Critical path" in netlist
    text = (tmp_path / "netlist" / "gemm8_pe-generic-3ns.v").read_text(encoding="utf-8")
    assert "CLKGATE_X4" in text
