"""Claims that hold are proven, for every block at two of its widths; no block is without one."""

import json
from pathlib import Path

import pytest

import bitweight
from bitweight.prove import FAMILIES, prove, prove_all, summary
from bitweight.prove.record import FILE, load
from bitweight.prove.synthesis import synthesised

PACKAGE = Path(bitweight.__file__).parent

# What has no circuit of its own.
NO_CIRCUIT = {"__init__", "activity", "schedule"}


def some(family):
    """Return two cases of a family: the first, and a middling one."""
    cases = family.cases
    return [cases[0], cases[len(cases) // 3]]


@pytest.mark.parametrize("name", FAMILIES)
def test_blocks_are_proven(name):
    cases = some(FAMILIES[name])
    claims = [FAMILIES[name].make(**case) for case in cases]
    for case, claim, circuit in zip(cases, claims, synthesised(claims), strict=True):
        verdict = claim.decide(circuit)
        assert verdict.counterexample is None, f"{case}\n{verdict}"


@pytest.mark.parametrize("folder", ["arith", "pe", "tpe"])
def test_every_circuit_has_a_claim(folder):
    proven = {subject for family in FAMILIES.values() for subject in family.subjects}
    modules = {path.stem for path in (PACKAGE / folder).glob("*.py")} - NO_CIRCUIT
    without = {module for module in modules if f"{folder}.{module}" not in proven}
    assert not without, f"{folder}: {without} must have an entry in bitweight.prove"


def test_claims_are_of_modules_that_exist():
    for family in FAMILIES.values():
        for subject in family.subjects:
            assert (PACKAGE / f"{subject.replace('.', '/')}.py").exists(), family.name


@pytest.mark.parametrize("name", [n for n in FAMILIES if n.startswith(("encoder", "product-"))])
def test_every_width_of_an_operand_is_there(name):
    keys = {"bits"} if name.startswith("encoder") else {"a_bits", "b_bits"}
    for key in keys:
        assert {case[key] for case in FAMILIES[name].cases} == set(range(2, 17))


def test_the_record_is_taken_up_again(tmp_path):
    families = [FAMILIES["first-nonzero"], FAMILIES["carries"]]
    first = prove_all(families, tmp_path)
    assert [row["proven"] for row in summary(first)] == [16, 16]
    sources, results = load(tmp_path / FILE)
    assert results == first and sources
    # Seconds are those of the first run: nothing was proven again.
    assert prove_all(families, tmp_path) == first

    # As an interruption leaves it: no checksum of sources, and some claims only.
    record = json.loads((tmp_path / FILE).read_text())
    record |= {"sources": "", "claims": record["claims"][:20]}
    (tmp_path / FILE).write_text(json.dumps(record))
    again = prove_all(families, tmp_path)
    assert again[:20] == first[:20]
    assert [r.key for r in again] == [r.key for r in first]
    assert load(tmp_path / FILE) == (sources, again)


def test_a_damaged_record_is_named(tmp_path):
    (tmp_path / FILE).write_text('{"sources": "", "claims": [{"family"')
    with pytest.raises(ValueError, match=f"{FILE} is no record of proofs"):
        prove_all([FAMILIES["carries"]], tmp_path)


def test_keys_tell_specifications_apart():
    (one,), (other,) = (
        next(prove(FAMILIES["compressor"], [case])) for case in FAMILIES["compressor"].cases[-2:]
    )
    assert one.result == other.result == "proven" and one.key != other.key
