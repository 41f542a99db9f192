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

__all__ = ["satisfy"]

_VALUE = re.compile(r"^(\S+?)@0=([01])$", re.MULTILINE)


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
            if "UNDECIDED" not in text.upper():
                raise ToolError(f"ABC failed: {text.strip().splitlines()[-1:]!r}")
            raise Undecided(f"undecided after {timeout:g} s")
        _run("read miter.aig; strash; iprove; write_cex -n cex", path, timeout)
        if not (path / "cex").exists():
            raise Undecided(f"no counterexample after {timeout:g} s")
        values = dict(_VALUE.findall((path / "cex").read_text()))
    return {name: int(values.get(f"x{i}", "0")) for i, name in enumerate(circuit.inputs)}


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
