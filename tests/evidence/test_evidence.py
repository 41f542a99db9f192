"""The page of verification: no circuit and no design without a row, no row without evidence."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from bitweight import catalog
from bitweight.cli.main import command
from bitweight.evidence import cells
from bitweight.evidence.arguments import ARGUMENTS, load_arguments, mutant_name
from bitweight.evidence.blocks import circuits
from bitweight.evidence.page import page
from bitweight.evidence.record import (
    BENCH,
    MUTANTS,
    NETLISTS,
    TESTS,
    enter,
    load,
    verilog_digest,
)
from bitweight.evidence.testimony import CLAIMS, PART_OF, named_tests
from bitweight.evidence.testimony import TESTS as TESTED
from bitweight.prove import FAMILIES

ROOT = Path(__file__).parents[2]
REPORTS = ROOT / "reports"
CIRCUITS = {circuit.name: circuit for circuit in circuits()}
SMALL = [name for name in catalog if name.endswith("-small")]
RUN = {
    "passed": True, "cases": 9, "failed": 0, "seconds": 1.5, "seed": 3, "trials": 2, "gemm": None,
    "date": "2026-01-02", "version": "11.0", "verilog": "0123456789abcdef", "messages": [],
}  # fmt: skip

ARGUMENT = """
[netlists]
cube-mac-small = "0123"
[[argument]]
why = '''
It is 0 anyway,
as nothing drives it.
'''
mutants = [["cube-mac-small", "pe_0/_7_", "output stuck", "Y at 0"]]
"""


@pytest.fixture(scope="module")
def text():
    return page(REPORTS, {})


def rows(text: str) -> dict[str, list[str]]:
    """Return the cells of every row by the first one, which no other row may have."""
    lines = [line for line in text.splitlines() if line.startswith(("| `", "| ["))]
    found = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    assert max(Counter(cells[0] for cells in found).values()) == 1
    return {cells[0].strip("`"): cells for cells in found}


@pytest.mark.parametrize("name", CIRCUITS)
def test_every_circuit_has_evidence(name):
    circuit = CIRCUITS[name]
    assert circuit.proofs or circuit.tests or circuit.designs, (
        f"{name} must have a claim in bitweight.prove, a test in bitweight.evidence.testimony, "
        "or be in a small design of the catalog"
    )


def test_circuits_are_found():
    for name in ("tpe.stream.Skew", "arith.onehot.choose", "arith.ent.EnT", "pe.mac.FusedMac"):
        assert name in CIRCUITS
    for name in ("tpe.array.Array", "arith.encoding.Encoding", "tpe.schedule.Schedule"):
        assert name not in CIRCUITS
    assert len(CIRCUITS["tpe.stream.SkidBuffer"].designs) == len(SMALL)
    assert CIRCUITS["pe.sparse.SparsePE"].designs == ("column-opt3-small", "bitslice-opt3-small")


def test_claims_of_a_module_with_several_circuits_are_told_apart():
    modules = Counter(name.rpartition(".")[0] for name in CIRCUITS)
    claimed = {subject: [] for family in FAMILIES.values() for subject in family.subjects}
    for family in FAMILIES.values():
        for subject in family.subjects:
            claimed[subject].append(family.name)
    for module, names in claimed.items():
        if modules[module] < 2:
            continue
        own = [name for name in CIRCUITS if name.rpartition(".")[0] == module]
        assert set(own) <= set(CLAIMS), f"CLAIMS must say which claims are of which of {own}"
        told = {name for circuit in own for name in CLAIMS[circuit]}
        assert set(names) <= told, f"CLAIMS must say of which circuit of {module} {names} are"


def test_names_are_of_things_that_exist():
    assert {*CLAIMS, *PART_OF, *TESTED} <= set(CIRCUITS)
    assert {name for names in CLAIMS.values() for name in names} <= set(FAMILIES)
    for test in named_tests():
        file, _, function = test.partition("::")
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert not function or function in names, test


@pytest.mark.parametrize("sim", cells.SIMULATORS)
@pytest.mark.parametrize("name", SMALL)
def test_every_design_has_passed_its_bench(name, sim):
    """`bitweight verify --all -o reports` makes the record."""
    assert load(REPORTS, BENCH)[name][sim]["passed"]


def test_no_row_is_missing_and_no_cell_empty(text):
    found = rows(text)
    assert {*CIRCUITS, *FAMILIES, *catalog} <= set(found)
    assert all(cell for cells in found.values() for cell in cells)
    committed = rows((REPORTS / "verification.md").read_text(encoding="utf-8"))
    assert set(committed) == set(found), "run make report"


def test_what_is_old_wrong_or_missing_is_marked(tmp_path):
    enter(tmp_path, BENCH, {
        "cube-mac-small": {"icarus": RUN, "verilator": RUN | {"passed": False, "failed": 2}},
        "cube-mac": {"verilator": RUN | {"gemm": "2x3x4"}},
    })  # fmt: skip
    mutants = {
        "design": "cube-mac-small", "technology": "generic", "count": 20, "killed": 17,
        "equivalent": 1, "seconds": 3.0, "verilog": "that of another", "netlist": "0123",
    }  # fmt: skip
    missed = {"cell": "pe_0/_7_", "kind": "INV_X1", "fault": "output stuck", "detail": "Y at 1"}
    argued = missed | {"detail": "Y at 0"}
    enter(tmp_path, MUTANTS, {"cube-mac-small": mutants | {"survivors": [missed, argued]}})
    (tmp_path / ARGUMENTS).write_text(ARGUMENT, encoding="utf-8")
    enter(tmp_path, NETLISTS, {"cube-mac-small": {
        "generic": RUN | {"rtl": RUN["verilog"]}, "sky130hd": RUN | {"passed": False},
    }})  # fmt: skip
    digests = {"cube-mac-small": RUN["verilog"], "cube-mac": verilog_digest("other")}
    enter(tmp_path, TESTS, {next(iter(named_tests())): {
        "passed": 3, "failed": 1, "skipped": 0, "seconds": 2.0, "date": "2026-01-02",
    }})  # fmt: skip
    text = page(tmp_path, digests)
    found = rows(text)
    assert found["cube-mac-small"][1:3] == ["9 cases, 2 s", "**failed**: 2 of 9 cases, 2 s"]
    assert found["cube-mac"][1:3] == ["only the small one", "9 cases, 2 s (of older Verilog)"]
    assert found["cube-mac-small"][4:6] == [
        "generic 9 cases, 2 s; **failed**: sky130hd 9 cases, 2 s (of older Verilog)",
        "generic 17 of 20 found, 1 equivalent, 1 argued, **1 missed**, 3 s (of older Verilog)",
    ]
    cell = "cube-mac-small/pe_0/_7_` (INV_X1): output stuck, Y at"
    assert found[f"{cell} 1"][1:] == ["**not known**"]
    assert found[f"{cell} 0"][1:] == ["It is 0 anyway, as nothing drives it."]
    assert "`--seed 3 --trials 2 --gemm 2x3x4`, 2026-01-02" in found["cube-mac"][-1]
    assert found["cube-opt1-small"][1] == "**not run**"
    assert "3 passed, **1 failed**, 2.0 s" in text and "no run on record" in text
    assert found["choose"][3:6] == ["0 of 48", "0", "48"]
    # An argument is about one netlist: in another the cell of that name may be another one.
    enter(tmp_path, MUTANTS, {"cube-mac-small": {"netlist": "4567"}})
    text = page(tmp_path, digests)
    assert "1 equivalent, **2 missed**, 3 s" in text and "argued," not in text


def test_every_mutant_that_was_missed_has_an_argument_and_no_other_one():
    """A new one needs to be understood: a test that is missing, or a gate that is not needed?"""
    missed = {
        mutant_name(run, one) for run in load(REPORTS, MUTANTS).values() for one in run["survivors"]
    }
    assert set(load_arguments(REPORTS)) == missed


@pytest.mark.parametrize("text", [
    "argument = 3", "[[argument]]", ARGUMENT.replace("why", "because"),
    ARGUMENT.replace("[netlists]", "[netlist]"), ARGUMENT.replace("small =", "tiny ="),
    ARGUMENT.replace(', "Y at 0"', ""), ARGUMENT + ARGUMENT[ARGUMENT.index("[[") :], "[[argument",
])  # fmt: skip
def test_damaged_arguments_are_named(text, tmp_path):
    (tmp_path / ARGUMENTS).write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"arguments\.toml has no arguments about mutants: .+"):
        load_arguments(tmp_path)


ENTER = """
import sys
from pathlib import Path
from bitweight.evidence.record import BENCH, enter
for i in range(20):
    enter(Path(sys.argv[1]), BENCH, {f"design-{i}": {sys.argv[2]: {"passed": True}}})
"""


def test_entries_of_two_processes_are_all_kept(tmp_path):
    commands = [[sys.executable, "-c", ENTER, str(tmp_path), sim] for sim in cells.SIMULATORS]
    running = [subprocess.Popen(command) for command in commands]
    assert [process.wait() for process in running] == [0, 0]
    found = load(tmp_path, BENCH)
    assert len(found) == 20 and all(set(runs) == set(cells.SIMULATORS) for runs in found.values())
    assert [path.name for path in tmp_path.iterdir()] == [BENCH]


@pytest.mark.parametrize("damage", ["", "[]", '{"designs": [1]}', '{"designs": {"a": 3}}'])
def test_a_damaged_record_is_named_and_kept(damage, tmp_path):
    (tmp_path / BENCH).write_text(damage)
    with pytest.raises(ValueError, match=f"{BENCH} is no record of what ran"):
        enter(tmp_path, BENCH, {"cube-mac": {"icarus": RUN}})
    assert (tmp_path / BENCH).read_text() == damage


def test_the_command_enters_what_it_ran(tmp_path):
    name = "systolic-os-mac-small"
    (tmp_path / BENCH).write_text(json.dumps({"designs": {name: {"verilator": RUN}}}))
    arguments = ["--sim", "icarus", "--gemm", "2x3x2", "--trials", "1", "--seed", "5"]
    result = CliRunner().invoke(command, ["verify", name, *arguments, "-o", str(tmp_path)])
    assert result.exit_code == 0, result.output
    runs = load(tmp_path, BENCH)[name]
    assert runs["verilator"] == RUN
    cases = int(re.search(r"(\d+) of \1 cases", result.output)[1])
    emitted = (ROOT / "gen" / f"{catalog[name].top}.v").read_text(encoding="utf-8")
    expected = {"passed": True, "cases": cases, "failed": 0, "seed": 5, "trials": 1}
    expected |= {"gemm": "2x3x2", "verilog": verilog_digest(emitted), "messages": []}
    assert {key: runs["icarus"][key] for key in expected} == expected

    changed = CliRunner().invoke(
        command, ["verify", name, "--set", "rows=2", "-o", str(tmp_path)], standalone_mode=False
    )
    assert "designs of the catalog as they are" in str(changed.exception)


def test_pytest_records_what_it_ran(tmp_path):
    test = "tests/arith/test_circuits.py::test_adders_exhaustively"
    arguments = ["-q", "-p", "no:cacheprovider", test, "--record", str(tmp_path)]
    result = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout
    found = load(tmp_path, TESTS)
    assert list(found) == [test]
    assert (found[test]["passed"], found[test]["failed"]) == (12, 0)
