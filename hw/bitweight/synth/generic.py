"""The project's own Liberty library, made from logical effort.

A gate is one or two stages, each with an effort `g` per input, a parasitic delay `p` and a size;
a stage that drives a load of `h` unit inverters takes ``p + h / size`` of τ, and an inverter that
drives four others takes 5 τ. That is one FO4, and it is written as 0.1 ns: **a period of 3.4 ns in
this library is 34 FO4**, whatever the process. A capacitance of 1 (fF) is the input of the unit
inverter. Delays do not depend on input slopes, and there are no wires.

Areas are in NAND2 equivalents: one column for each pair of transistors, one column of space, and
three columns are a NAND2. A gate of twice the strength has twice the transistors in its last stage.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bitweight.files import write_files
from bitweight.synth import liberty

FO4_NS = 0.1
_TAU = FO4_NS / 5
_SETUP_FO4 = 1.0
_CLOCK_TO_Q_FO4 = 1.5  # without the load
_COLUMNS_FF = 16
_COLUMNS_LATCH = 8
# Two points would do for straight lines, but ABC takes what it needs from points in the middle.
_LOADS = (0, 1, 4, 16, 64, 256, 1000)
_SLOPES = (0.001, 0.1, 10)


@dataclass(frozen=True)
class _Stage:
    """One static CMOS stage of unit size: efforts by input, parasitic delay, transistor pairs."""

    effort: tuple[float, ...]
    parasitic: float
    pairs: int


_INV = _Stage((1.0,), 1.0, 1)
_NAND2 = _Stage((4 / 3,) * 2, 2.0, 2)
_NAND3 = _Stage((5 / 3,) * 3, 3.0, 3)
_NAND4 = _Stage((2.0,) * 4, 4.0, 4)
_NOR2 = _Stage((5 / 3,) * 2, 2.0, 2)
_NOR3 = _Stage((7 / 3,) * 3, 3.0, 3)
_AOI21 = _Stage((2.0, 2.0, 5 / 3), 7 / 3, 3)
_AOI22 = _Stage((2.0,) * 4, 4.0, 4)
_OAI21 = _Stage((2.0, 2.0, 4 / 3), 7 / 3, 3)
_OAI22 = _Stage((2.0,) * 4, 4.0, 4)
_MAJI = _Stage((4.0, 4.0, 2.0), 4.0, 5)


@dataclass(frozen=True)
class _Gate:
    """A cell of one strength: per input its capacitance and its delay without load, in τ."""

    name: str
    function: str
    size: int
    inputs: tuple[tuple[str, float, float, str], ...]
    pairs: int


def _single(name: str, stage: _Stage, function: str, sizes: tuple[int, ...]) -> Iterator[_Gate]:
    for size in sizes:
        inputs = tuple(
            (pin, effort * size, stage.parasitic, "negative_unate")
            for pin, effort in zip("ABCD", stage.effort, strict=False)
        )
        yield _Gate(f"{name}_X{size}", function, size, inputs, stage.pairs * size)


def _double(name: str, stage: _Stage, function: str, sizes: tuple[int, ...]) -> Iterator[_Gate]:
    """Return gates with an inverter behind a stage of half its size (but at least of unit size)."""
    for size in sizes:
        first = max(1, size // 2)
        delay = stage.parasitic + size / first + _INV.parasitic
        inputs = tuple(
            (pin, effort * first, delay, "positive_unate")
            for pin, effort in zip("ABCD", stage.effort, strict=False)
        )
        yield _Gate(f"{name}_X{size}", function, size, inputs, stage.pairs * first + size)


def _parity(name: str, first: _Stage, last: _Stage, function: str) -> Iterator[_Gate]:
    """Return XOR (NOR2, then AOI21) or XNOR (NAND2, then OAI21): both inputs reach both stages."""
    for size in (1, 2):
        delay = first.parasitic + last.effort[2] * size + last.parasitic
        load = first.effort[0] + last.effort[0] * size
        inputs = tuple((pin, load, delay, "non_unate") for pin in "AB")
        yield _Gate(f"{name}_X{size}", function, size, inputs, first.pairs + last.pairs * size)


def _multiplexer() -> Iterator[_Gate]:
    for size in (1, 2):
        direct = _AOI22.parasitic + size + _INV.parasitic
        select = _INV.parasitic + _AOI22.effort[0] + direct
        inputs = (
            ("A", _AOI22.effort[0], direct, "positive_unate"),
            ("B", _AOI22.effort[0], direct, "positive_unate"),
            ("S", _AOI22.effort[0] + 1.0, select, "non_unate"),
        )
        pairs = _INV.pairs + _AOI22.pairs + size
        yield _Gate(f"MUX2_X{size}", "(A&!S)|(B&S)", size, inputs, pairs)


def _gates() -> Iterator[_Gate]:
    yield from _single("INV", _INV, "!A", (1, 2, 4, 8, 16))
    yield from _double("BUF", _INV, "A", (1, 2, 4, 8, 16))
    yield from _single("NAND2", _NAND2, "!(A&B)", (1, 2, 4))
    yield from _single("NAND3", _NAND3, "!(A&B&C)", (1, 2))
    yield from _single("NAND4", _NAND4, "!(A&B&C&D)", (1, 2))
    yield from _single("NOR2", _NOR2, "!(A|B)", (1, 2, 4))
    yield from _single("NOR3", _NOR3, "!(A|B|C)", (1, 2))
    yield from _double("AND2", _NAND2, "A&B", (1, 2, 4))
    yield from _double("OR2", _NOR2, "A|B", (1, 2, 4))
    yield from _single("AOI21", _AOI21, "!((A&B)|C)", (1, 2, 4))
    yield from _single("AOI22", _AOI22, "!((A&B)|(C&D))", (1, 2))
    yield from _single("OAI21", _OAI21, "!((A|B)&C)", (1, 2, 4))
    yield from _single("OAI22", _OAI22, "!((A|B)&(C|D))", (1, 2))
    yield from _parity("XOR2", _NOR2, _AOI21, "A^B")
    yield from _parity("XNOR2", _NAND2, _OAI21, "!(A^B)")
    yield from _multiplexer()
    yield from _double("MAJ3", _MAJI, "(A&B)|(A&C)|(B&C)", (1, 2))


@functools.lru_cache(maxsize=1)
def liberty_text() -> str:
    """Return the library: the same text on every machine."""
    cells = [_combinational(gate) for gate in _gates()]
    cells += [_tie("TIEHI", "1"), _tie("TIELO", "0")]
    cells += [_flip_flop("DFF_X1", enable=False), _flip_flop("DFFE_X1", enable=True)]
    cells.append(_clock_gate(4))
    return _HEADER + "\n".join(cells) + "}\n"


def liberty_file() -> Path:
    """Return the library as a file in the cache, written if it is not there yet."""
    text = liberty_text()
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    folder = liberty.cache_folder() / f"generic-{digest}"
    path = folder / "generic.lib"
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_files(folder, {path.name: text})
    return path


def _index(points: tuple[float, ...]) -> str:
    return ", ".join(f"{point:g}" for point in points)


def _rows(row: str) -> str:
    """Return a table that is the same for every slope."""
    return ", ".join([f'"{row}"'] * len(_SLOPES))


_HEADER = f"""\
/* Made by bitweight from logical effort. 0.1 ns is one FO4, 1 fF the input of a unit inverter,
   an area of 1 is a NAND2. */
library (bitweight_generic) {{
  delay_model : table_lookup;
  time_unit : "1ns";
  voltage_unit : "1V";
  current_unit : "1mA";
  pulling_resistance_unit : "1kohm";
  leakage_power_unit : "1nW";
  capacitive_load_unit (1, ff);
  nom_process : 1;
  nom_temperature : 25;
  nom_voltage : 1;
  input_threshold_pct_rise : 50;
  input_threshold_pct_fall : 50;
  output_threshold_pct_rise : 50;
  output_threshold_pct_fall : 50;
  slew_lower_threshold_pct_rise : 20;
  slew_lower_threshold_pct_fall : 20;
  slew_upper_threshold_pct_rise : 80;
  slew_upper_threshold_pct_fall : 80;
  default_max_transition : 10;
  default_fanout_load : 1;
  lu_table_template (delay) {{
    variable_1 : input_net_transition;
    variable_2 : total_output_net_capacitance;
    index_1 ("{_index(_SLOPES)}");
    index_2 ("{_index(_LOADS)}");
  }}
  lu_table_template (constraint) {{
    variable_1 : related_pin_transition;
    variable_2 : constrained_pin_transition;
    index_1 ("{_index(_SLOPES)}");
    index_2 ("{_index(_SLOPES)}");
  }}
"""


def _area(pairs: int) -> str:
    return f"{(pairs + 1) / 3:.6f}"


def _tables(intrinsic: float, size: int) -> str:
    """Return a timing group's tables: linear in the load, the same for both edges."""
    lines = []
    for kind, low in (("cell_{}", intrinsic), ("{}_transition", 0.0)):
        row = ", ".join(f"{(low + load / size) * _TAU:.6f}" for load in _LOADS)
        for edge in ("rise", "fall"):
            lines.append(f"        {kind.format(edge)} (delay) {{ values ({_rows(row)}); }}")
    return "\n".join(lines)


def _pin(name: str, capacitance: float, *, clock: bool = False, rest: str = "") -> str:
    mark = "\n      clock : true;" if clock else ""
    return (
        f"    pin ({name}) {{\n      direction : input;\n"
        f"      capacitance : {capacitance:.6f};{mark}\n{rest}    }}\n"
    )


def _combinational(gate: _Gate) -> str:
    pins = "".join(_pin(name, load) for name, load, _, _ in gate.inputs)
    arcs = "".join(
        f'      timing () {{\n        related_pin : "{name}";\n        timing_sense : {sense};\n'
        f"{_tables(delay, gate.size)}\n      }}\n"
        for name, _, delay, sense in gate.inputs
    )
    return (
        f"  cell ({gate.name}) {{\n    area : {_area(gate.pairs)};\n{pins}"
        f'    pin (Y) {{\n      direction : output;\n      function : "{gate.function}";\n'
        f"      max_capacitance : {64 * gate.size};\n{arcs}    }}\n  }}\n"
    )


def _tie(name: str, value: str) -> str:
    return (
        f"  cell ({name}) {{\n    area : {_area(1)};\n    pin (Y) {{\n      direction : output;\n"
        f'      function : "{value}";\n      max_capacitance : 64;\n    }}\n  }}\n'
    )


def _constraint(kind: str, value: float) -> str:
    rows = _rows(", ".join([f"{value:.6f}"] * len(_SLOPES)))
    return (
        f'      timing () {{\n        related_pin : "CK";\n        timing_type : {kind};\n'
        f"        rise_constraint (constraint) {{ values ({rows}); }}\n"
        f"        fall_constraint (constraint) {{ values ({rows}); }}\n      }}\n"
    )


def _flip_flop(name: str, *, enable: bool) -> str:
    """Return a flip-flop; one with enable holds a multiplexer in front of it."""
    mux = next(iter(_multiplexer()))
    extra = {pin: (load, delay) for pin, load, delay, _ in mux.inputs}
    setup = _SETUP_FO4 * FO4_NS
    data, state = (1.0, setup), "D"
    pins = ""
    if enable:
        state = "(D&E)|(IQ&!E)"
        data = (extra["B"][0], setup + (extra["B"][1] + 1.0) * _TAU)
        late = setup + (extra["S"][1] + 1.0) * _TAU
        checks = _constraint("setup_rising", late) + _constraint("hold_rising", 0.0)
        pins += _pin("E", extra["S"][0], rest=checks)
    checks = _constraint("setup_rising", data[1]) + _constraint("hold_rising", 0.0)
    pins += _pin("D", data[0], rest=checks) + _pin("CK", 1.0, clock=True)
    arc = _tables(_CLOCK_TO_Q_FO4 * FO4_NS / _TAU, 1)
    return (
        f"  cell ({name}) {{\n    area : {_area(_COLUMNS_FF + (mux.pairs if enable else 0))};\n"
        f'    ff (IQ, IQN) {{\n      clocked_on : "CK";\n      next_state : "{state}";\n    }}\n'
        f"{pins}    pin (Q) {{\n      direction : output;\n"
        f'      function : "IQ";\n      max_capacitance : 64;\n      timing () {{\n'
        f'        related_pin : "CK";\n        timing_type : rising_edge;\n{arc}\n      }}\n'
        f"    }}\n  }}\n"
    )


def _clock_gate(size: int) -> str:
    """Return a clock gate: a latch that is open while the clock is low, a NAND2, an inverter.

    The enable must be there before the clock rises.
    """
    first = max(1, size // 2)
    delay = _NAND2.parasitic + size / first + _INV.parasitic
    late = _constraint("setup_rising", _SETUP_FO4 * FO4_NS) + _constraint("hold_rising", 0.0)
    enable = _pin("E", 1.0, rest="      clock_gate_enable_pin : true;\n" + late)
    clock = _pin(
        "CK",
        1.0 + _NAND2.effort[0] * first,
        clock=True,
        rest="      clock_gate_clock_pin : true;\n",
    )
    area = _area(_COLUMNS_LATCH + _NAND2.pairs * first + size)
    return (
        f"  cell (CLKGATE_X{size}) {{\n    area : {area};\n"
        "    clock_gating_integrated_cell : latch_posedge;\n"
        '    statetable ("CK E", "IQ") {\n'
        '      table : "L L : - : L, L H : - : H, H - : - : N";\n    }\n'
        "    pin (IQ) {\n      direction : internal;\n      internal_node : IQ;\n    }\n"
        f"{enable}{clock}    pin (GCK) {{\n      direction : output;\n"
        '      state_function : "CK & IQ";\n      clock_gate_out_pin : true;\n'
        f"      max_capacitance : {64 * size};\n      timing () {{\n"
        '        related_pin : "CK";\n        timing_sense : positive_unate;\n'
        f"{_tables(delay, size)}\n      }}\n    }}\n  }}\n"
    )
