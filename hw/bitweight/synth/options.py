"""How Yosys and ABC are to work: arithmetic, mapping recipe, flip-flops, hierarchy."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

#: How `*` and `+` become gates. `default` leaves Yosys its own way (a carry-save tree over AND
#: terms), `booth` recodes the multiplicand first, `arith_tree` turns sums into carry-save trees.
ARITHMETIC: dict[str, str] = {
    "default": "",
    "booth": "-booth",
    "arith_tree": "-arith_tree",
}
#: Carry-propagate adders.
ADDERS: dict[str, str] = {
    "brent-kung": "",
    "kogge-stone": "-extra-map +/choices/kogge-stone.v",
    "han-carlson": "-extra-map +/choices/han-carlson.v",
    "sklansky": "-extra-map +/choices/sklansky.v",
}
#: Flip-flops that are worth a clock gate. An enable costs half a flip-flop in `sky130hd` and a
#: multiplexer in `asap7`, a gate one flip-flop and more of the clock's power.
LEAST_GATED = 4
_TAIL = "topo; buffer -c -N {fanout}; upsize -D {ps}; dnsize -D {ps}"
# Area efficiency in GMAC/s/mm2 of a plain MAC PE without reset (Yosys -booth) and of a carry-save
# MAC PE on sky130hd and asap7, the best of two targets (the usual recipe is `plain`; with it the
# plain MAC was first measured at 38.6 and 16 300):
#
#                plain MAC            carry-save
#   plain        44.4   14 800        91.6   31 400
#   balanced     45.9   15 600        89.9   31 800
#   fast         48.9   13 500        85.2   29 300
#   small        33.3   15 800        78.8   37 500
#   mixed        41.2   15 700        79.6   31 200   (one target)
#
# With other adders and without premap: sklansky fast 53.1 and kogge-stone mixed 16 700 for the
# plain MAC, brent-kung balanced 95.3 for the carry-save one. No script wins everywhere: `balanced`
# is the default (never below 0.82 of the best), and a baseline is picked from `variants`.
# Tried and left out: `&nf -D`, `-R`, `-p` (as `small`, or slower), `map` without -B (less even) or
# with 0.5 and 0.99 (the same within noise), `map -a` (much slower), `dch` and `map` twice (larger),
# `&syn2` to `&syn4` before `map` (larger), `buffer -N` 4 to 24 (a few percent either way), sizing
# before buffering (the same), other driving cells (1 %). Two runs that differ in anything at all
# differ by some 3 %.
#: ABC scripts: structure, mapping, then buffering and sizing.
RECIPES: dict[str, str] = {
    "plain": f"strash; dch; map -B 0.9 -D {{ps}}; {_TAIL}",
    "balanced": f"strash; ifraig; scorr; dc2; strash; dch; map -B 0.9 -D {{ps}}; {_TAIL}",
    "fast": f"strash; ifraig; scorr; dc2; strash; if -g -K 6; strash; dch; "
    f"map -B 0.9 -D {{ps}}; {_TAIL}",
    "small": f"strash; ifraig; scorr; dc2; strash; &get -n; &dch -f; &nf; &put; {_TAIL}",
    "mixed": f"strash; ifraig; scorr; dc2; strash; if -g -K 6; dc2; strash; "
    f"&get -n; &dch -f; &nf; &put; {_TAIL}",
}


@dataclass(frozen=True)
class YosysOptions:
    """One way to synthesise.

    Attributes
    ----------
    arithmetic
        A key of `ARITHMETIC`.
    adder
        A key of `ADDERS`.
    recipe
        A key of `RECIPES`.
    premap
        Whether Yosys optimises with ABC on plain gates before the library comes into play.
    enable_flops
        Whether flip-flops with enable may be taken where the library has them.
    clock_gating
        Whether flip-flops that share an enable are given a gated clock instead, where the
        technology names a cell for it and there are at least `LEAST_GATED` of them.
    max_fanout
        ABC buffers nets with more sinks than this.
    keep
        Modules that stay modules, while all others are flattened into them. None: `hierarchical`
        of the call decides for all of them.
    fast
        Modules that get the recipe `fast`, whatever the others have: in an array the small ones
        that set the clock, while the many elements are made as small as they can be.
    """

    arithmetic: str = "booth"
    adder: str = "brent-kung"
    recipe: str = "balanced"
    premap: bool = True
    enable_flops: bool = True
    clock_gating: bool = True
    max_fanout: int = 12
    keep: tuple[str, ...] | None = field(default=None)
    fast: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, allowed in (("arithmetic", ARITHMETIC), ("adder", ADDERS), ("recipe", RECIPES)):
            value = getattr(self, name)
            if value not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, not {value!r}")
        fanout = self.max_fanout
        if isinstance(fanout, bool) or not isinstance(fanout, int):
            raise TypeError(f"max_fanout must be an integer, not {fanout!r}")
        if fanout < 2:
            raise ValueError(f"max_fanout must be at least 2, not {fanout!r}")
        for name in ("premap", "enable_flops", "clock_gating"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name} must be True or False, not {getattr(self, name)!r}")

    @property
    def synth_arguments(self) -> str:
        """Arguments of Yosys' ``synth`` for this arithmetic."""
        parts = (ARITHMETIC[self.arithmetic], ADDERS[self.adder], "" if self.premap else "-noabc")
        return " ".join(part for part in parts if part)

    def abc_script(self, target_ps: float, recipe: str = "") -> str:
        """Return the ABC script for a delay target; that of another recipe than its own."""
        text = RECIPES[recipe or self.recipe].format(
            ps=max(1, round(target_ps)), fanout=self.max_fanout
        )
        return "\n".join(step.strip() for step in text.split(";")) + "\n"

    @classmethod
    def from_json(cls, table: Mapping[str, Any]) -> YosysOptions:
        """Return options from what :meth:`to_json` returns; older tables have no `fast`."""
        keep = table["keep"]
        lists = {
            "keep": None if keep is None else tuple(keep),
            "fast": tuple(table.get("fast", ())),
        }
        return cls(**{**table, **lists})

    def to_json(self) -> dict[str, Any]:
        """Return the options as plain values."""
        table = asdict(self)
        table["keep"] = list(self.keep) if self.keep is not None else None
        table["fast"] = list(self.fast)
        return table


def variants(
    arithmetic: Iterable[str] = tuple(ARITHMETIC),
    adder: Iterable[str] = ("brent-kung", "kogge-stone", "sklansky"),
    recipe: Iterable[str] = ("balanced", "fast", "mixed", "small"),
    premap: Iterable[bool] = (False,),
) -> list[tuple[str, YosysOptions]]:
    """Return labelled options, one for each combination: what a baseline is picked from."""
    return [
        (
            "+".join((kind, carry, script, *(("premap",) if early else ()))),
            YosysOptions(arithmetic=kind, adder=carry, recipe=script, premap=early),
        )
        for kind, carry, script, early in itertools.product(arithmetic, adder, recipe, premap)
    ]
