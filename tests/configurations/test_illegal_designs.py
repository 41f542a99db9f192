"""Designs with any value for any parameter: right, or refused in one line that names it.

What is legal is said here once more, independently of the checks themselves. ``BITWEIGHT_SEED``
repeats a run, ``BITWEIGHT_DRAWS`` makes it longer.
"""

from __future__ import annotations

import datetime
import math
import os
import re
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from drawn import PAIRS, draw_design
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from bitweight import ARRAYS, ENCODINGS, Design, IllegalMove, SystolicOS, catalog
from bitweight.cli import main
from bitweight.notation import TRANSFORMATIONS
from bitweight.pe import STYLES

COUNT = 5 * int(os.environ.get("BITWEIGHT_DRAWS", "60"))

WORDS = [*ARRAYS, *TRANSFORMATIONS, *ENCODINGS, *STYLES, "", "MBE", "mbe ", "8", "0x10", "1e3"]
NUMBERS = st.one_of(
    st.integers(-3, 70),
    st.integers(),
    st.sampled_from([1024, 1025, 65536, 65537, -(1 << 63), 1 << 64]),
)
TEXTS = st.one_of(st.sampled_from(WORDS), st.text(max_size=12))
VALUES = st.one_of(
    NUMBERS,
    TEXTS,
    # All that TOML has, and what a caller in Python may get wrong.
    st.booleans(),
    st.none(),
    st.floats(),
    st.binary(max_size=4),
    st.lists(st.integers(0, 9), max_size=3),
    st.dictionaries(st.text(max_size=2), st.integers(0, 9), max_size=2),
    st.builds(np.int16, st.integers(-9, 99)),
    st.builds(np.float64, st.floats(width=16)),
    st.lists(st.integers(0, 9), max_size=3).map(np.array),
    st.just(datetime.date(2000, 1, 1)),
    st.just(SystolicOS(2, 2)),
)
"""One of a thousand kinds of values."""


def repeated(rng: np.random.Generator, count: int = COUNT) -> Any:
    """Return the settings of a property test whose draws follow from the seed alone."""
    number = rng.bit_generator.seed_seq.entropy
    chosen = settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    return lambda test: seed(number)(chosen(test))


def is_integer(value: Any, low: int, high: int) -> bool:
    return (
        isinstance(value, (int, np.integer))
        and not isinstance(value, bool)
        and low <= value <= high
    )


def legal(parameters: dict[str, Any]) -> bool:
    """Tell whether there is such a design."""
    array, mac = parameters["array"], parameters["mac"]
    if not (isinstance(array, str) and isinstance(mac, str) and (array, mac) in PAIRS):
        return False
    sizes = {size.name: size.metadata.get("range", (1, 1024)) for size in fields(ARRAYS[array])}
    if not all(is_integer(parameters[name], *sizes[name]) for name in sizes if name in parameters):
        return False
    others = {"name", "array", "mac", "a", "b", "acc", "encoding", "style"}
    if not set(parameters) <= others | set(sizes):
        return False
    if "block" in sizes:
        block, group = (
            parameters.get(name, getattr(ARRAYS[array](), name)) for name in ("block", "group")
        )
        if block % group or (mac == "opt4e" and block % 4):
            return False
    if not (is_integer(parameters["a"], 2, 16) and is_integer(parameters["b"], 2, 16)):
        return False
    choices = (("encoding", ENCODINGS), ("style", STYLES))
    return (
        is_integer(parameters["acc"], parameters["a"] + parameters["b"], 64)
        and all(isinstance(parameters[key], str) and parameters[key] in of for key, of in choices)
        and isinstance(parameters["name"], str)
        and re.fullmatch(r"([0-9A-Za-z]+(-[0-9A-Za-z]+)*)?", parameters["name"]) is not None
    )


def check_message(error: Exception, key: str, value: Any) -> None:
    """Check that the error names the parameter and the value, in one line."""
    message = str(error)
    assert message and message == " ".join(message.splitlines()), message
    if isinstance(error, IllegalMove):
        return  # says why a move is not possible: no single value is wrong
    plain = int(value) if isinstance(value, np.integer) else value
    if key in message and (f"not {value!r}" in message or f"not {plain!r}" in message):
        return
    # Only together with another parameter: a width leaves too few bits to the accumulator,
    # a group does not divide the block, another array has not all of these sizes.
    partners = {"a": "acc", "b": "acc", "group": "block", "array": "parameter", "mac": "array"}
    assert key in partners and re.match(rf"{partners[key]} .*not .+", message), message


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_any_value_is_right_or_refused(pair, rng):
    start = draw_design(rng, pair).to_dict()

    @repeated(rng, COUNT // len(PAIRS) * 2)
    @given(st.sampled_from([*start, "color"]), VALUES)
    def check(key: str, value: Any) -> None:
        parameters = start | {key: value}
        try:
            design = Design.from_dict(parameters)
        except (ValueError, TypeError) as error:
            assert not legal(parameters), error
            if key == "color":
                assert re.fullmatch("parameter must be one of .*, not 'color'", str(error))
            else:
                check_message(error, key, value)
        else:
            assert legal(parameters)
            assert design.to_dict()["mac"] == parameters["mac"]

    check()


@pytest.mark.parametrize("command", ["gen", "show"])
def test_any_setting_on_the_command_line_is_right_or_refused(command, rng, capsys, tmp_path):
    names = [name for name in catalog if name.endswith("-small")]
    arguments = {"gen": ["-o", str(tmp_path / "out")], "show": []}[command]

    @repeated(rng, COUNT // 2)
    @given(st.sampled_from(names), st.data())
    def check(name: str, data: st.DataObject) -> None:
        start = catalog[name].to_dict() | {"name": ""}
        key = data.draw(st.sampled_from([*start, "color", ""]))
        text = data.draw(st.one_of(NUMBERS.map(str), TEXTS))
        try:
            value: Any = int(text)
        except ValueError:
            value = text
        if key in start and legal(start | {key: value}):
            return  # what is legal is built elsewhere
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main([command, name, "--set", f"{key}={text}", *arguments])
        said = capsys.readouterr()
        assert end.value.code == 2 and said.out == ""
        assert said.err.startswith("bitweight: ") and said.err.count("\n") == 1
        assert len(said.err.splitlines()) == 1 and "Traceback" not in said.err

    check()
    assert not (tmp_path / "out").exists()


def test_any_operands_are_right_or_refused(rng):
    design = Design(SystolicOS(2, 2), a=4, b=5, acc=10)
    elements = st.one_of(st.integers(-20, 20), st.floats(), st.just(math.nan))
    shapes = st.lists(st.integers(0, 4), max_size=3).map(tuple)
    dtypes = st.sampled_from([np.int8, np.uint8, np.int64, np.float32, bool, object, "U3"])

    @st.composite
    def matrices(draw: st.DrawFn) -> Any:
        if draw(st.integers(0, 9)) == 0:
            return draw(VALUES)
        dtype = draw(dtypes)
        low, high = draw(st.sampled_from([(-8, 7), (0, 3), (0, 100)]))
        filled = np.random.default_rng(draw(st.integers(0, 99))).integers(low, high, draw(shapes))
        return (
            filled.astype(dtype) if dtype is not object else np.full(filled.shape, draw(elements))
        )

    @repeated(rng)
    @given(matrices(), matrices())
    def check(A: Any, B: Any) -> None:
        for method in (design.reference, design.pack, design.cycles):
            try:
                found = method(A, B)
            except (ValueError, TypeError) as error:
                message = str(error)
                assert len(message.splitlines()) == 1 and re.search(r"\b[ABK]\b.*not .+", message)
                continue
            assert A.shape[1] == B.shape[0] <= design.max_k
            if method == design.reference:
                np.testing.assert_array_equal(found, A.astype(int) @ B.astype(int))

    check()
