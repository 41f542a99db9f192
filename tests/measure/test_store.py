"""What was measured is not measured again, unless something that it depends on has changed."""

import pytest

from bitweight import OPT1, Design, SystolicOS
from bitweight.measure import THROUGHPUT, Store, store
from bitweight.measure.store import reachable
from bitweight.synth import YosysOptions, find_technology

DESIGN = Design(SystolicOS(2, 2), OPT1, a=3, b=3, acc=8)
PE = "systolic_os_opt1_pe"
OPTIONS = YosysOptions(premap=False)


@pytest.fixture
def runs(monkeypatch):
    """Every synthesis that is really done."""
    done = []
    real = store.synthesise

    def counted(verilog, top, technology, target, **rest):
        done.append((top, target, rest["options"]))
        return real(verilog, top, technology, target, **rest)

    monkeypatch.setattr(store, "synthesise", counted)
    return done


def test_a_second_run_does_nothing_and_finds_the_same(tmp_path, runs):
    generic = find_technology("generic")
    first = Store(tmp_path).synthesis(DESIGN, generic, 1.0, OPTIONS, top=PE)
    again = Store(tmp_path).synthesis(DESIGN, generic, 1.0, OPTIONS, top=PE)
    assert len(runs) == 1
    assert again == first and again.netlist == first.netlist and f"module {PE}" in first.netlist


def test_whatever_a_netlist_depends_on_makes_it_anew(tmp_path, runs, monkeypatch):
    generic = find_technology("generic")
    kept = Store(tmp_path)
    kept.synthesis(DESIGN, generic, 1.0, OPTIONS, top=PE)
    kept.synthesis(DESIGN, generic, 1.1, OPTIONS, top=PE)
    kept.synthesis(DESIGN, generic, 1.0, YosysOptions(premap=True), top=PE)
    kept.synthesis(DESIGN.with_(acc=9), generic, 1.0, OPTIONS, top=PE)
    assert len(runs) == 4
    monkeypatch.setattr(store, "sources_digest", lambda *parts: "another flow")
    kept.synthesis(DESIGN, generic, 1.0, OPTIONS, top=PE)
    assert len(runs) == 5
    monkeypatch.setattr(store.tools, "versions", lambda: {"yosys": "another"})
    kept.synthesis(DESIGN, generic, 1.0, OPTIONS, top=PE)
    assert len(runs) == 6


def test_a_run_that_fails_leaves_nothing(tmp_path, monkeypatch):
    generic = find_technology("generic")

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(store, "synthesise", interrupted)
        with pytest.raises(KeyboardInterrupt):
            Store(tmp_path).synthesis(DESIGN, generic, 1.0, OPTIONS, top=PE)
    assert Store(tmp_path).synthesis(DESIGN, generic, 1.0, OPTIONS, top=PE).area > 0


def test_cycles_are_those_of_the_design(tmp_path, monkeypatch):
    design = Design(SystolicOS(4, 4), OPT1)
    A, B = THROUGHPUT.operands(design)
    assert (A.shape, B.shape) == ((64, 1024), (1024, 64))
    assert Store(tmp_path).cycles(design, THROUGHPUT) == design.cycles(A, B)
    monkeypatch.setattr(Design, "cycles", None)
    assert Store(tmp_path).cycles(design, THROUGHPUT) > 0


def test_only_the_modules_that_are_needed_count():
    text = "module a(x);\n  b b_0 (\n  );\nendmodule\n"
    text += "module b(x);\nendmodule\nmodule c(x);\nendmodule\n"
    assert reachable(text, "a") == text.partition("module c")[0]
    assert reachable(text, "c") == "module c(x);\nendmodule\n"
    with pytest.raises(ValueError, match="top must be one of a, b, c, not 'd'"):
        reachable(text, "d")
