"""Proving all claims, and the record of it: what is proven and unchanged is not proven again.

A claim is known by the checksum of what Amaranth emits for it, circuit and specification. As long
as no source of hardware or of claims has changed, not even that is made again.
"""

from __future__ import annotations

import functools
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import bitweight
from bitweight.files import write_files
from bitweight.prove.family import Case, Family
from bitweight.prove.synthesis import emitted, synthesised
from bitweight.prove.verdict import Undecided

__all__ = ["FILE", "Result", "load", "prove", "prove_all", "summary"]

FILE = "proofs.json"

_BATCH = 24
"""Claims of one run of Yosys."""

_SOURCES = ("notation", "arith", "pe", "tpe", "prove", "block.py", "_check.py")

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Result:
    """What became of a claim.

    Parameters
    ----------
    family
        Its name.
    case
        The parameters.
    result
        ``proven``, ``refuted`` or ``open``.
    method
        In a few words.
    seconds
        CPU time is not known of other processes: it is wall-clock time, with a share of what
        Amaranth and Yosys took for the batch.
    key
        Checksum of circuit and specification.
    text
        The counterexample, or why it is open.
    """

    family: str
    case: Case
    result: str
    method: str
    seconds: float
    key: str
    text: str = ""


def prove(
    family: Family,
    cases: Sequence[Case] | None = None,
    known: Mapping[str, Result] | None = None,
) -> Iterator[list[Result]]:
    """Prove a family's claims; yields the results of one batch after the other.

    Parameters
    ----------
    family
        What to prove.
    cases
        For these parameters only.
    known
        Earlier results by key. Those that were proven are taken over.
    """
    todo = list(family.cases if cases is None else cases)
    for at in range(0, len(todo), _BATCH):
        batch = todo[at : at + _BATCH]
        started = time.perf_counter()
        claims = [family.make(**case) for case in batch]
        texts = emitted(claims)
        old = [(known or {}).get(key) for _, key in texts]
        new = [i for i, result in enumerate(old) if result is None or result.result != "proven"]
        made = synthesised([claims[i] for i in new], [texts[i][0] for i in new])
        circuits = dict(zip(new, made, strict=True))
        share = (time.perf_counter() - started) / max(1, len(new))
        results = []
        for i, (case, claim, (_, key), earlier) in enumerate(
            zip(batch, claims, texts, old, strict=True)
        ):
            if i not in circuits:
                # Claims of other parameters may be of the same circuit.
                assert earlier is not None
                results.append(replace(earlier, family=family.name, case=dict(case)))
                continue
            began = time.perf_counter()
            try:
                verdict = claim.decide(circuits[i])
            except Undecided as error:
                outcome = ("open", "", str(error))
            else:
                wrong = verdict.counterexample
                outcome = ("proven", verdict.method, "")
                if wrong is not None:
                    outcome = ("refuted", verdict.method, str(wrong))
            seconds = round(share + time.perf_counter() - began, 3)
            result, method, text = outcome
            results.append(Result(family.name, dict(case), result, method, seconds, key, text))
        yield results


def prove_all(
    families: Sequence[Family], folder: Path, progress: Progress = lambda *_: None
) -> list[Result]:
    """Prove all claims of families; after every batch the record in a folder is up to date.

    Returns
    -------
    list of Result
        In the order of the families.

    Raises
    ------
    ValueError
        If there is a record that cannot be read.
    """
    path = folder / FILE
    sources, before = load(path) if path.exists() else ("", [])
    known = {result.key: result for result in before}
    by_case = {(result.family, _label(result.case)): result for result in before}
    total = sum(len(family.cases) for family in families)
    done: list[Result] = []
    for family in families:
        old = [by_case.get((family.name, _label(case))) for case in family.cases]
        kept = [result for result in old if result is not None and result.result == "proven"]
        if sources == digest() and len(kept) == len(family.cases):
            done += kept
            progress("", len(done), total)
            continue
        for batch in prove(family, known=known):
            done += batch
            progress("", len(done), total)
            left = {(result.family, _label(result.case)) for result in done}
            rest = [result for place, result in by_case.items() if place not in left]
            # Until all is done, the record does not say that it is of the present sources.
            _write(folder, "", [*done, *rest])
    _write(folder, digest(), done)
    return done


def load(path: Path) -> tuple[str, list[Result]]:
    """Return the checksum of sources and the results of a record.

    Raises
    ------
    ValueError
        If it is damaged; it names the file.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return record["sources"], [Result(**entry) for entry in record["claims"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is no record of proofs: {error}") from None


def summary(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Return one row for each family: its claims, those proven, methods and seconds."""
    rows: dict[str, dict[str, Any]] = {}
    for result in results:
        row = rows.setdefault(
            result.family,
            {"block": result.family, "claims": 0, "proven": 0, "methods": [], "seconds": 0.0},
        )
        row["claims"] += 1
        row["proven"] += result.result == "proven"
        row["seconds"] = round(row["seconds"] + result.seconds, 3)
        if result.method and result.method not in row["methods"]:
            row["methods"].append(result.method)
    return list(rows.values())


@functools.cache
def digest() -> str:
    """Return a checksum over the sources of hardware and of claims."""
    root = Path(bitweight.__file__).parent
    checksum = hashlib.sha256()
    for part in _SOURCES:
        place = root / part
        for path in [place] if place.is_file() else sorted(place.rglob("*.py")):
            checksum.update(str(path.relative_to(root)).encode() + path.read_bytes())
    return checksum.hexdigest()[:16]


def _write(folder: Path, sources: str, results: Sequence[Result]) -> None:
    entries = ",\n".join(json.dumps(asdict(result)) for result in results)
    text = f'{{"sources": "{sources}", "claims": [\n{entries}\n]}}\n'
    write_files(folder, {FILE: text})


def _label(case: Case) -> str:
    return json.dumps(dict(case), sort_keys=True)
