"""And-inverter graphs: what Yosys makes of a circuit, to be evaluated, unrolled and proven.

A literal is twice the number of a variable, plus one where it is inverted; literal 0 is false.
The file format is AIGER 1.9 (Biere, Heljanko and Wieringa 2011), binary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

__all__ = ["FALSE", "TRUE", "Builder", "Circuit", "Latch", "words_of"]

FALSE, TRUE = 0, 1


@dataclass(frozen=True)
class Latch:
    """A register bit.

    Parameters
    ----------
    names
        Of the wires that it drives.
    following
        The literal that it takes in every cycle.
    init
        Its value at the start, or ``None`` for either.
    """

    names: tuple[str, ...]
    following: int
    init: int | None


@dataclass(frozen=True)
class Circuit:
    """An and-inverter graph.

    Variables are numbered as in AIGER: inputs from 1 on, then registers, then AND gates in an
    order in which operands come before what is made of them.

    Parameters
    ----------
    inputs
        Names of the input bits, such as ``x[3]``, or ``x`` where there is one bit only.
    latches
        The register bits.
    outputs
        Literals by name.
    ands
        Operands of each AND, an array [gates, 2] of literals.
    """

    inputs: tuple[str, ...]
    latches: tuple[Latch, ...]
    outputs: Mapping[str, int]
    ands: np.ndarray = field(repr=False)

    @property
    def first_and(self) -> int:
        """The variable of the first AND."""
        return 1 + len(self.inputs) + len(self.latches)

    @classmethod
    def read(cls, content: bytes) -> Circuit:
        """Return the circuit of a binary AIGER file with a symbol table.

        Raises
        ------
        ValueError
            If it is no such file.
        """
        header, _, rest = content.partition(b"\n")
        magic, *numbers = header.split()
        if magic != b"aig" or len(numbers) < 5:
            raise ValueError(f"an AIGER file must begin with 'aig M I L O A', not {header[:40]!r}")
        _, n_in, n_latch, n_out, n_and = (int(number) for number in numbers[:5])
        lines = rest.split(b"\n", n_latch + n_out)
        following, inits = [], []
        for i, line in enumerate(lines[:n_latch]):
            values = [int(value) for value in line.split()]
            own = 2 * (1 + n_in + i)
            init = values[1] if len(values) > 1 else 0
            following.append(values[0])
            inits.append(None if init == own else init)
        outputs = [int(line) for line in lines[n_latch : n_latch + n_out]]
        gates, end = _read_gates(lines[-1], n_and, 1 + n_in + n_latch)
        names: dict[bytes, list[list[str]]] = {
            b"i": [[] for _ in range(n_in)],
            b"l": [[] for _ in range(n_latch)],
            b"o": [[] for _ in range(n_out)],
        }
        for line in lines[-1][end:].split(b"\n"):
            if line[:1] not in names:
                break
            number, *given = line[1:].decode().split(" ")
            names[line[:1]][int(number)] += given
        return cls(
            # What Yosys leaves undefined, a word beyond the end of a memory, is an input too.
            tuple(given[0] if given else f"undefined_{i}" for i, given in enumerate(names[b"i"])),
            tuple(
                Latch(tuple(given), next_, init)
                for given, next_, init in zip(names[b"l"], following, inits, strict=True)
            ),
            {name: lit for given, lit in zip(names[b"o"], outputs, strict=True) for name in given},
            gates,
        )

    def write(self) -> bytes:
        """Return the circuit as a binary AIGER file."""
        n_in, n_latch, n_and = len(self.inputs), len(self.latches), len(self.ands)
        lines = [f"aig {n_in + n_latch + n_and} {n_in} {n_latch} {len(self.outputs)} {n_and}"]
        for i, latch in enumerate(self.latches):
            init = 2 * (1 + n_in + i) if latch.init is None else latch.init
            lines.append(f"{latch.following} {init}")
        lines += [str(literal) for literal in self.outputs.values()]
        body = bytearray()
        for i, (x, y) in enumerate(self.ands.tolist()):
            high, low = max(x, y), min(x, y)
            for delta in (2 * (self.first_and + i) - high, high - low):
                left = delta
                while left > 127:
                    body.append(left & 127 | 128)
                    left >>= 7
                body.append(left)
        return "\n".join(lines).encode() + b"\n" + bytes(body)

    def evaluate(self, values: Sequence[np.ndarray | int]) -> list[np.ndarray | int]:
        """Return the value of every variable, bit-parallel.

        Parameters
        ----------
        values
            Words of uint64, of equal shape, for each input and then for each register; or the
            int 0 for false and -1 for true.
        """
        ones = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
        known = [v if isinstance(v, np.ndarray) else (ones if v else np.uint64(0)) for v in values]
        table: list[np.ndarray | int] = [np.uint64(0), *known]  # type: ignore[list-item]
        for x, y in self.ands.tolist():
            left, right = table[x >> 1], table[y >> 1]
            table.append((~left if x & 1 else left) & (~right if y & 1 else right))
        return table

    def cone(self, literals: Sequence[int], stop: frozenset[int] | set[int]) -> list[int]:
        """Return the ANDs that literals are made of, in order, and not beyond variables of `stop`.

        Variables are returned; those of `stop`, inputs and registers are not among them.
        """
        seen: set[int] = set()
        waiting = [literal >> 1 for literal in literals]
        while waiting:
            variable = waiting.pop()
            if variable in seen or variable in stop or variable < self.first_and:
                continue
            seen.add(variable)
            x, y = self.ands[variable - self.first_and].tolist()
            waiting += [x >> 1, y >> 1]
        return sorted(seen)

    def step(self, inputs: Mapping[str, int], state: Sequence[int]) -> tuple[dict[str, int], list]:
        """Return the outputs of a cycle as words by name, and the next state.

        Parameters
        ----------
        inputs
            A non-negative word for each input.
        state
            A bit for each register.
        """
        bits = {
            name: inputs[word] >> index & 1
            for name in self.inputs
            for word, index in [split_name(name)]
        }
        table = self.evaluate([-bits[name] for name in self.inputs] + [-int(bit) for bit in state])

        def bit(literal: int) -> int:
            return (int(table[literal >> 1]) ^ literal) & 1

        outputs: dict[str, int] = {}
        for name, literal in self.outputs.items():
            word, index = split_name(name)
            outputs[word] = outputs.get(word, 0) | bit(literal) << index
        return outputs, [bit(latch.following) for latch in self.latches]

    def hashed(self) -> Circuit:
        """Return the same circuit in which gates with equal operands are one."""
        build = Builder()
        leaves = [build.input(name) for name in self.inputs]
        leaves += [build.input(latch.names[0]) for latch in self.latches]
        table = build.copy(self, leaves)

        def moved(literal: int) -> int:
            return table[literal >> 1] ^ (literal & 1)

        outputs = {name: moved(literal) for name, literal in self.outputs.items()}
        latches = tuple(replace(latch, following=moved(latch.following)) for latch in self.latches)
        return Circuit(self.inputs, latches, outputs, build.circuit({}).ands)

    def word(self, name: str) -> list[int]:
        """Return the literals of an output word, lowest bit first."""
        return words_of(self.outputs)[name]


class Builder:
    """Makes a circuit gate by gate; gates with equal operands are made once."""

    def __init__(self) -> None:
        self.inputs: list[str] = []
        self._ands: list[tuple[int, int]] = []
        self._made: dict[tuple[int, int], int] = {}

    def input(self, name: str) -> int:
        """Return a new input; all inputs come before the first gate."""
        assert not self._ands, "inputs have the lowest numbers"
        self.inputs.append(name)
        return 2 * len(self.inputs)

    def both(self, x: int, y: int) -> int:
        """Return the AND of two literals."""
        if x > y:
            x, y = y, x
        if x == FALSE or x == y ^ 1:
            return FALSE
        if x in (TRUE, y):
            return y
        if (x, y) not in self._made:
            self._ands.append((x, y))
            self._made[x, y] = 2 * (len(self.inputs) + len(self._ands))
        return self._made[x, y]

    def copy(self, circuit: Circuit, leaves: Sequence[int]) -> list[int]:
        """Add the gates of a circuit and return a literal for each of its variables.

        Parameters
        ----------
        circuit
            What is copied.
        leaves
            The literals of its inputs and then of its registers.
        """
        table = [FALSE, *leaves]
        for x, y in circuit.ands.tolist():
            table.append(self.both(table[x >> 1] ^ (x & 1), table[y >> 1] ^ (y & 1)))
        return table

    def circuit(self, outputs: Mapping[str, int]) -> Circuit:
        """Return what was made."""
        gates = np.array(self._ands, dtype=np.int64).reshape(-1, 2)
        return Circuit(tuple(self.inputs), (), dict(outputs), gates)


def split_name(name: str) -> tuple[str, int]:
    """Return word and number of a bit: ``x[3]`` is bit 3 of ``x``."""
    if name.endswith("]"):
        word, _, index = name[:-1].rpartition("[")
        return word, int(index)
    return name, 0


def words_of(bits: Mapping[str, int]) -> dict[str, list[int]]:
    """Return what single bits have, by word: a list from the lowest bit on."""
    words: dict[str, dict[int, int]] = {}
    for name, value in bits.items():
        word, index = split_name(name)
        words.setdefault(word, {})[index] = value
    return {word: [found[i] for i in range(len(found))] for word, found in words.items()}


def _read_gates(content: bytes, number: int, first: int) -> tuple[np.ndarray, int]:
    gates = np.empty((number, 2), dtype=np.int64)
    at = 0
    for i in range(number):
        literal = 2 * (first + i)
        for side in (0, 1):
            delta = shift = 0
            while True:
                byte = content[at]
                at += 1
                delta |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    break
            literal -= delta
            gates[i, side] = literal
    return gates, at
