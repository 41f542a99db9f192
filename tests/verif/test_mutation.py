"""Mutants of a netlist: the bench or a soak finds them, or they are proven equivalent."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from bitweight import MAC, Design, SystolicOS
from bitweight.cli.main import command
from bitweight.evidence.arguments import ARGUMENTS
from bitweight.synth import ToolError, find_technology
from bitweight.synth.netlist import FlatNetlist
from bitweight_verif import mutation, soaking
from bitweight_verif.equivalence import States, equivalent
from bitweight_verif.mutants import FAULTS, Mutants
from bitweight_verif.netlists import flat_netlist, mapped
from bitweight_verif.soaking import soak

TINY = Design(SystolicOS(1, 1), MAC, a=2, b=2, acc=6, name="tiny")
GENERIC = find_technology("generic")


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """So small a netlist is done sooner."""
    monkeypatch.setattr(soaking, "_CYCLES", dict.fromkeys(soaking._CYCLES, 4000))


@pytest.fixture(scope="module")
def netlist() -> FlatNetlist:
    return flat_netlist(mapped(TINY, GENERIC), GENERIC)


@pytest.fixture(scope="module")
def states(netlist):
    return States.random(netlist, 2000, 1)


def inverted(netlist: FlatNetlist, net: int) -> dict[int, np.ndarray]:
    """Return the fault of the gate that drives a net: its output inverted."""
    (gate,) = np.flatnonzero(netlist.gates[:, 0] == net)
    at = int(netlist.gates[gate, 1])
    return {int(gate): 1 - netlist.tables[at : at + (1 << int(netlist.arity[gate]))]}


def test_mutants_are_found_or_equivalent_and_kept_on_record(tmp_path, monkeypatch):
    result = mutation.mutate(TINY, GENERIC, 25, 3)
    assert result.passed, result.survivors
    assert result.killed + result.equivalent == result.count == 25
    assert set(result.faults) <= set(FAULTS) and len(result.faults) > 4
    mutation.put_on_record(tmp_path, result)
    known = mutation.on_record(tmp_path, TINY)
    again = mutation.mutate(TINY, GENERIC, 25, 3, known=known)
    assert again == result

    def run(*_):
        raise InterruptedError

    monkeypatch.setattr(mutation, "flat_netlist", run)
    for name in ("verilog", "netlist", "tools", "seed", "asked"):
        with pytest.raises(InterruptedError):
            mutation.mutate(TINY, GENERIC, 25, 3, known=known | {name: "other"})


def test_what_has_an_argument_is_no_failure(tmp_path, monkeypatch):
    monkeypatch.setattr(mutation, "_unproven", lambda result, states, mutants, *_: mutants)
    design = tmp_path / "tiny.toml"
    lines = [f"{key} = {json.dumps(value)}\n" for key, value in TINY.to_dict().items()]
    design.write_text("".join(lines), encoding="utf-8")
    words = ["mutate", str(design), "--count", "100", "--seed", "3", "-o", str(tmp_path)]
    first = CliRunner().invoke(command, words)
    record = mutation.on_record(tmp_path, TINY)
    survivors = record["survivors"]
    assert survivors and first.exit_code == 1 and "argued" not in first.output
    for number, code in ((len(survivors) - 1, 1), (len(survivors), 0)):
        names = [["tiny", one["cell"], one["fault"], one["detail"]] for one in survivors[:number]]
        text = f"[[argument]]\nwhy = 'No.'\nmutants = {json.dumps(names)}\n"
        text += f'[netlists]\ntiny = "{record["netlist"]}"\n'
        (tmp_path / ARGUMENTS).write_text(text, encoding="utf-8")
        again = CliRunner().invoke(command, words)
        assert again.exit_code == code and again.output.count(", argued") == number
    of_another = text.replace(record["netlist"], "0" * 16)
    (tmp_path / ARGUMENTS).write_text(of_another, encoding="utf-8")
    again = CliRunner().invoke(command, words)
    assert again.exit_code == 1 and "argued" not in again.output
    (tmp_path / ARGUMENTS).write_text("3", encoding="utf-8")
    with pytest.raises(ValueError, match=r"arguments\.toml has no arguments about mutants"):
        CliRunner().invoke(command, words, catch_exceptions=False)


def test_a_soak_finds_what_is_wrong_and_not_what_is_right(netlist):
    wrong = inverted(netlist, int(netlist.ports["c__valid"][0]))
    found, cycles = soak(TINY, netlist, [wrong, {}], 1, ("soak-short",))
    assert found[0].startswith("soak-short ") and not found[1]
    assert cycles > 1000
    # It ends when all are found.
    assert soak(TINY, netlist, [wrong], 1)[1] < 10


def test_a_soak_reaches_the_top_of_the_accumulator(rng):
    design = TINY.with_(a=6, b=6, acc=16)
    gemms = [soaking._long(design, rng) for _ in range(100)]
    running = [np.cumsum(one.A.T[:, :, None] * one.B[:, None], axis=0) for one in gemms]
    assert max(one.A.shape[1] for one in gemms) <= 2 * design.max_k
    ends = 1 << design.acc - 1
    assert max(sums.max() for sums in running) >= ends
    assert min(sums.min() for sums in running) < -ends
    # Some come back a good way, and some remain small.
    falls = [(np.maximum.accumulate(sums, axis=0) - sums).max() for sums in running if len(sums)]
    assert max(falls) > ends // 2
    assert min(abs(sums).max() for sums in running) < ends // 4


def test_a_soak_compares_the_sound_netlist_with_numpy(netlist):
    other = TINY.with_(a=2, b=2, acc=6)
    object.__setattr__(other, "reference", lambda *_, **__: np.array([[99]]))
    with pytest.raises(ToolError, match=r"^the netlist of .* is wrong: "):
        soak(other, netlist, [{}], 1, ("soak-short",))


def test_what_changes_an_output_is_never_proven(netlist, states):
    for name in ("a__ready", "c__valid"):
        fault = inverted(netlist, int(netlist.ports[name][0]))
        assert not equivalent(states, fault)


def test_mutants_that_a_soak_finds_are_not_proven_equivalent(netlist, states):
    """Both are right, or one of them is wrong."""
    mutants = Mutants(netlist).draw(30, np.random.default_rng(7))
    found, _ = soak(TINY, netlist, [one.tables for one in mutants], 1)
    proven = [equivalent(states, one.tables) for one in mutants]
    assert not [m for m, f, p in zip(mutants, found, proven, strict=True) if bool(f) == bool(p)]
    assert any(proven) and any(found)
