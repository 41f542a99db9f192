"""Which modules a Verilog text has, and how often each is instantiated in the others."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

__all__ = ["control_file", "instances"]

_NAME = r"(\\\S+ |[A-Za-z_][\w$]*)"
_APART = 8
"""Instances in one module from which on a block is compiled apart."""


def instances(verilog: str) -> dict[str, Counter[str]]:
    """Return, for every module of the text, how often it instantiates each other module of it."""
    modules = _bodies(verilog)
    use = re.compile(rf"^\s*{_NAME}\s*(?:#\s*\([^;]*?\)\s*)?{_NAME}\s*\(", re.MULTILINE)
    return {
        name: Counter(used.strip() for used, _ in use.findall(body) if used.strip() in modules)
        for name, body in modules.items()
    }


def _bodies(verilog: str) -> dict[str, str]:
    parts = re.split(rf"^\s*module\s+{_NAME}", verilog, flags=re.MULTILINE)[1:]
    return dict(zip((name.strip() for name in parts[::2]), parts[1::2], strict=True))


def control_file(
    verilog: str,
    top: str,
    ports: Sequence[str] = (),
    *,
    allow_apart: bool = True,
    inlined: int = 0,
) -> tuple[str, bool]:
    """Return a Verilator control file: which ports are public, and which modules not inlined.

    Modules that are instantiated more than once stay out of line. One that has no modules inside
    and that some module has many of is compiled apart, once, where that is allowed: a 16 × 16
    array of carry-save PEs, or an 8 × 8 × 8 cube, then builds in less than half the time.

    Parameters
    ----------
    verilog
        All modules.
    top
        Name of the top module.
    ports
        Of the top, those that are made public.
    allow_apart
        Whether modules may be compiled apart, which takes Verilator's own makefile.
    inlined
        Characters up to which a module is small enough to be inlined, however often.

    Returns
    -------
    tuple of str and bool
        The text, and whether it names modules to be compiled apart.
    """
    used, bodies = instances(verilog), _bodies(verilog)
    total = sum(used.values(), Counter())
    apart = {
        module
        for parent in used.values()
        for module, count in parent.items()
        if allow_apart and count >= _APART and not used[module]
    }
    lines = ["`verilator_config"]
    lines += [f'public_flat_rw -module "{top}" -var "{port}"' for port in ports]
    for module in sorted(
        name for name, count in total.items() if count > 1 and len(bodies[name]) > inlined
    ):
        kind = "hier_block" if module in apart else "no_inline"
        lines.append(f'{kind} -module "{module.lstrip(chr(92))}"')
    return "\n".join(lines) + "\n", bool(apart)
