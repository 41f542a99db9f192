"""What a user has after ``pip install``: without extras, without compilers, without this tree."""

from __future__ import annotations

import ast
import json
import re
import shlex
import tarfile
import zipfile

import pytest
from installed import ROOT, build

README = (ROOT / "README.md").read_text(encoding="utf-8")
NOWHERE = "/nonexistent"


@pytest.mark.parametrize("kind", ["bare", "full"])
def test_the_package_is_the_wheels(kind, request, tmp_path):
    environment = request.getfixturevalue(kind)
    code = "import bitweight, bitweight_verif.beats as v; print(bitweight.__file__, v.__file__)"
    places = environment.run("python", "-W", "error", "-c", code, cwd=tmp_path).stdout.split()
    assert all(place.startswith(str(environment.folder)) for place in places)
    code = "import jinja2, cocotb, pyosys"
    found = environment.run("python", "-c", code, cwd=tmp_path, check=False)
    assert (found.returncode == 0) == (kind == "full")


def test_from_installation_to_verilog_by_the_readme(bare, tmp_path):
    """The first commands of the section for users, run as they stand."""
    section = README.split("## In your project")[1].split("\n## ")[0]
    commands = re.findall(r"^    (bitweight .*?)(?:  +#.*)?$", section, flags=re.M)
    first = next(command for command in commands if " gen " in command)
    bare.run(*shlex.split(first), cwd=tmp_path, path=NOWHERE)
    (file,) = tmp_path.glob("*/*.json")
    design = json.loads(file.read_text())["design"]
    wanted = {"array": "systolic-os", "mac": "opt1", "rows": 8, "cols": 8, "a": 6, "b": 6}
    assert design | wanted == design
    assert f"module {file.stem}(" in file.with_suffix(".v").read_text()


def test_it_says_what_there_is_without_simulators(bare, tmp_path):
    rows = json.loads(bare.run("bitweight", "list", "--json", cwd=tmp_path, path=NOWHERE).stdout)
    shown = bare.run("bitweight", "show", rows[0]["name"], cwd=tmp_path, path=NOWHERE).stdout
    assert rows[0]["name"] in shown and "instances" in shown


@pytest.mark.parametrize(
    "command, extra",
    [
        (["verify", "systolic-os-mac-small"], "sim"),
        (["synth", "systolic-os-mac-small"], "synth"),
        (["synth", "systolic-os-mac-small", "--tech", "ice40"], "synth"),
        (["run", "systolic-os-mac-small", "A.npy", "B.npy", "-o", "C.npy"], "sim"),
        (["stats", "systolic-os-mac-small", "--plot", "x.png"], "demo"),
        (["report", "."], "demo"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value[:1] + value[3:4]),
)
def test_what_is_missing_is_named(command, extra, bare, tmp_path):
    save = "import numpy as np; [np.save(n, np.ones((2, 2), dtype=int)) for n in 'AB']"
    bare.run("python", "-c", save, cwd=tmp_path)
    done = bare.run("bitweight", *command, cwd=tmp_path, path=NOWHERE, check=False)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1 and f"bitweight[{extra}]" in done.stderr


def test_source_distribution_makes_the_same_wheel(wheel, tmp_path):
    (archive,) = wheel.parent.glob("*.tar.gz")
    # Python before 3.11.4 has no filters; from 3.14 on this one is what is done without it.
    safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
    with tarfile.open(archive) as file:
        file.extractall(tmp_path, **safely)
    (project,) = tmp_path.iterdir()
    again = build(project, tmp_path / "dist")
    assert zipfile.ZipFile(again).namelist() == zipfile.ZipFile(wheel).namelist()
    assert {"hw", "verif", "tests", "examples", "gen"} <= {path.name for path in project.iterdir()}


def test_all_of_it_is_typed_and_python_3_10(wheel):
    with zipfile.ZipFile(wheel) as file:
        names = file.namelist()
        assert {"bitweight/py.typed", "bitweight_verif/py.typed"} <= set(names)
        for name in names:
            if name.endswith(".py"):
                ast.parse(file.read(name), name, feature_version=(3, 10))


def test_public_names_are_documented():
    import bitweight
    import bitweight.emit
    import bitweight.synth
    import bitweight_verif

    for package in (bitweight, bitweight.emit, bitweight.synth, bitweight_verif):
        assert package.__doc__
        for name in package.__all__:
            value = getattr(package, name)
            if callable(value):
                assert value.__doc__, (package.__name__, name)
    assert "DeprecationWarning" in bitweight.__doc__
