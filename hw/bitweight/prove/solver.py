"""ABC's combinational equivalence checker, in a process of its own.

ABC comes with the wheel of pyosys. ``&cec`` (SAT sweeping, Mishchenko et al. 2006) decides;
``iprove`` finds the counterexample that is written in a readable form.
"""

from __future__ import annotations

import functools
import importlib.util
import re
import subprocess
import tempfile
from pathlib import Path

from bitweight.prove.circuit import FALSE, TRUE, Circuit
from bitweight.prove.verdict import Undecided
from bitweight.synth.errors import ToolError, ToolMissing

__all__ = ["never", "reach", "satisfy"]

_VALUE = re.compile(r"^(\S+?)@0=([01])$", re.MULTILINE)
_VALUES = re.compile(r"(\S+?)@(\d+)=([01])")
_LOOKED = re.compile(r"No output asserted in (\d+) frames")
_FRAME = re.compile(r"was asserted in frame (\d+)")
_GAVE_UP = re.compile("undecided|timed out|resource limit reached", re.IGNORECASE)
"""What `pdr`, `&cec` and `bmc3` say when the time is over."""
_ABSTRACTION = 0.3
"""Of the time: for finding out which gates are needed."""


@functools.cache
def _abc() -> str:
    spec = importlib.util.find_spec("pyosys")
    place = Path(spec.origin).parent / "yosys-abc" if spec and spec.origin else None
    if place is None or not place.exists():
        raise ToolMissing("ABC is missing: pip install 'bitweight[synth]' installs pyosys with it")
    return str(place)


def satisfy(circuit: Circuit, output: str, timeout: float) -> dict[str, int] | None:
    """Return input bits for which an output of a circuit without registers is one, or ``None``.

    Raises
    ------
    Undecided
        If neither is found within `timeout` seconds.
    ToolError
        If ABC is missing or fails.
    """
    literal = circuit.outputs[output]
    if literal == FALSE:
        return None
    if literal == TRUE:
        return dict.fromkeys(circuit.inputs, 0)
    single = Circuit(circuit.inputs, (), {output: literal}, circuit.ands)
    names = "".join(f"i{i} x{i}\n" for i in range(len(circuit.inputs)))
    with tempfile.TemporaryDirectory(prefix="bitweight-prove-") as folder:
        path = Path(folder)
        (path / "miter.aig").write_bytes(single.write() + names.encode() + b"o0 bad\n")
        text = _run(f"&r miter.aig; &cec -m -T {max(1, round(timeout))}", path, timeout)
        if "Networks are equivalent" in text:
            return None
        if "NOT EQUIVALENT" not in text:
            if not _GAVE_UP.search(text):
                raise ToolError(f"ABC failed: {text.strip().splitlines()[-1:]!r}")
            raise Undecided(f"undecided after {timeout:g} s")
        _run("read miter.aig; strash; iprove; write_cex -n cex", path, timeout)
        if not (path / "cex").exists():
            raise Undecided(f"no counterexample after {timeout:g} s")
        values = dict(_VALUE.findall((path / "cex").read_text()))
    return {name: int(values.get(f"x{i}", "0")) for i, name in enumerate(circuit.inputs)}


def reach(
    circuit: Circuit, output: str, timeout: float, cycles: int | None = None
) -> list[dict[str, int]] | None:
    """Return input bits, cycle by cycle, after which an output is one, or ``None`` if it never is.

    Parameters
    ----------
    circuit
        Its registers start at zero.
    output
        The last cycle is the one in which it is one.
    timeout
        In seconds.
    cycles
        Look at so many cycles from the start only.

    Raises
    ------
    Undecided
        If neither is found within `timeout` seconds.
    ToolError
        If ABC is missing or fails.
    """
    literal = circuit.outputs[output]
    if literal == FALSE:
        return None
    with tempfile.TemporaryDirectory(prefix="bitweight-prove-") as folder:
        path = Path(folder)
        (path / "miter.aig").write_bytes(_sequential(circuit, literal))
        limit = max(1, round(timeout))
        search = f"scorr; write_aiger reduced.aig; pdr -T {limit}"
        if cycles is not None:
            search = f"bmc3 -F {cycles} -T {limit}"
        text = _run(f"read miter.aig; strash; {search}; write_cex -n cex", path, timeout)
        looked = _LOOKED.search(text)
        if "Property proved" in text or (looked and int(looked[1]) == cycles):
            return None
        # Where registers that are equal to others leave nothing to prove, `pdr` says "UNDECIDED".
        if cycles is None and _always_zero(path / "reduced.aig"):
            return None
        found = _FRAME.search(text)
        if not found or not (path / "cex").exists():
            if not _GAVE_UP.search(text):
                raise ToolError(f"ABC failed: {text.strip().splitlines()[-1:]!r}")
            raise Undecided(f"undecided after {timeout:g} s")
        values = _VALUES.findall((path / "cex").read_text())
    bits = {(int(cycle), name): int(value) for name, cycle, value in values}
    return [
        {name: bits.get((cycle, f"x{i}"), 0) for i, name in enumerate(circuit.inputs)}
        for cycle in range(int(found[1]) + 1)
    ]


def never(circuit: Circuit, output: str, timeout: float) -> bool:
    """Tell whether an output is never one, without a counterexample where it is.

    Gates that no short counterexample needs are left out first (gate-level abstraction, Mishchenko,
    Een, Brayton et al. 2013), so that a property of few registers among many is found.

    Parameters
    ----------
    circuit
        Its registers start at zero.
    output
        Its name.
    timeout
        In seconds, for both steps together.

    Returns
    -------
    bool
        True; what is not proven is undecided.

    Raises
    ------
    Undecided
        If it is not proven: not in time, or the gates that are left are too few.
    ToolError
        If ABC is missing or fails.
    """
    literal = circuit.outputs[output]
    if literal == FALSE:
        return True
    with tempfile.TemporaryDirectory(prefix="bitweight-prove-") as folder:
        path = Path(folder)
        (path / "miter.aig").write_bytes(_sequential(circuit, literal))
        looks = max(1, round(timeout * _ABSTRACTION))
        text = _run(
            "read miter.aig; strash; scorr; dc2; write_aiger reduced.aig; "
            f"&get; &gla -T {looks}; &gla_derive; &put; scorr; dc2; "
            f"pdr -T {max(1, round(timeout) - looks)}",
            path,
            timeout,
        )
        if not (path / "reduced.aig").exists():
            raise ToolError(f"ABC failed: {text.strip().splitlines()[-1:]!r}")
        if "Property proved" in text or _always_zero(path / "reduced.aig"):
            return True
    raise Undecided(f"undecided after {timeout:g} s")


def _sequential(circuit: Circuit, literal: int) -> bytes:
    """Return a circuit with one output in AIGER format, with names that ABC keeps."""
    single = Circuit(circuit.inputs, circuit.latches, {"bad": literal}, circuit.ands)
    names = "".join(f"i{i} x{i}\n" for i in range(len(circuit.inputs)))
    names += "".join(f"l{i} q{i}\n" for i in range(len(circuit.latches)))
    return single.write() + names.encode() + b"o0 bad\n"


def _always_zero(path: Path) -> bool:
    """Tell whether the only output of a circuit in AIGER format is the constant zero."""
    head, *lines = path.read_bytes().split(b"\n")
    latches = int(head.split()[3])
    return lines[latches] == b"0"


def _run(script: str, folder: Path, timeout: float) -> str:
    try:
        run = subprocess.run(
            [_abc(), "-c", script],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=timeout + 10,
        )
    except subprocess.TimeoutExpired:
        raise Undecided(f"undecided after {timeout:g} s") from None
    except OSError as error:
        raise ToolError(f"ABC cannot be started: {error.strerror}") from None
    return run.stdout + run.stderr
