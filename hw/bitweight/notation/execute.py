"""Execution of a nest on NumPy matrices, loop by loop and primitive by primitive.

Sequential loops, temporal ones and those along which a running total hops, run in Python in
their order; the other spatial loops become array axes, so that all instances of a primitive act
at once. Where zero digits are left out, each instance goes through its own iterations, those with
another digit; one that has done them all repeats some with a zero digit until all have. A
sum/carry pair stays a pair, compressed with 3:2 steps
modulo the accumulator's width, until an ``add`` resolves it: a nest that loses a carry on the
way gives a wrong product here as it would in hardware.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bitweight._check import check_matrix
from bitweight.notation.counts import extents
from bitweight.notation.integer import wrap

if TYPE_CHECKING:
    from bitweight.notation.nest import Nest
    from bitweight.notation.primitives import Loop, Primitive

__all__ = ["execute"]

Value = tuple[np.ndarray, ...]
"""A word ``(p,)`` or a pair ``(sum, carry)``; one axis per spatial loop."""


def execute(nest: Nest, A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """Compute ``A @ B`` the way `nest` says.

    Parameters
    ----------
    nest
        The nest to run.
    A, B
        Integer matrices of shapes [M, K] and [K, N] within the nest's operand ranges.

    Returns
    -------
    numpy.ndarray
        int64 of shape [M, N], wrapped modulo ``2**nest.acc`` into the signed range.
    """
    A = check_matrix("A", A, nest.a.min, nest.a.max)
    B = check_matrix("B", B, nest.b.min, nest.b.max)
    if A.shape[1] != B.shape[0]:
        raise ValueError(f"B must have {A.shape[1]} rows, as A has columns, not {B.shape[0]!r}")
    return _Run(nest, A, B).result()


class _Run:
    def __init__(self, nest: Nest, A: np.ndarray, B: np.ndarray) -> None:
        self.nest, self.A, self.B = nest, A, B
        self.extent = extents(nest, A.shape[0], B.shape[1], A.shape[1])
        self.axes = [loop.name for loop in nest.loops if not loop.sequential]
        self.at: dict[str, int | np.ndarray] = {}  # the current index of every loop
        for loop in nest.loops:
            if not loop.sequential:
                shape = [self.extent[n] if n == loop.name else 1 for n in self.axes]
                self.at[loop.name] = np.arange(self.extent[loop.name]).reshape(shape)
        self.first: dict[str, bool] = {}  # whether a sequential loop is in its first iteration,
        self.last: dict[str, bool] = {}  # and in its last one
        self.C = np.zeros((A.shape[0], B.shape[1]), dtype=np.int64)
        self.totals: dict[tuple[int, ...], Value] = {}
        ops = [primitive.op for primitive in nest.primitives]
        self.turn = ops.index("map")
        self.end = max(i for i, op in enumerate(ops) if op != "sync")
        self.skipped = nest.skipped

    def result(self) -> np.ndarray:
        self._level(0)
        return wrap(self.C, self.nest.acc)

    def _level(self, depth: int) -> Value | None:
        """Run everything inside the first `depth` loops; a value leaves once it is complete."""
        value = None
        if any(
            p.op == "encode" and self.nest.depth(p.level) == depth for p in self.nest.primitives
        ):
            self._encode()
        if depth == len(self.nest.loops):
            value = self._map()
        else:
            loop = self.nest.loops[depth]
            if not loop.sequential:
                value = self._level(depth + 1)
            else:
                done = (
                    self._nonzero(loop) if loop == self.skipped else range(self.extent[loop.name])
                )
                for i, index in enumerate(done):
                    self.at[loop.name] = index
                    self.first[loop.name], self.last[loop.name] = i == 0, i == len(done) - 1
                    value = self._level(depth + 1)
        for position, primitive in enumerate(self.nest.primitives):
            if position > self.turn and self.nest.depth(primitive.level) == depth:
                value = None if value is None else self._consume(position, primitive, value)
                if position == self.end and value is not None:
                    self._store(value)
        return value

    def _index(self, dim: str) -> np.ndarray:
        """Return the index along `dim`; a dimension split in several loops is put together."""
        index: int | np.ndarray = 0
        for loop in self.nest.loops:
            if loop.dim == dim:
                index = index * self.extent[loop.name] + self.at.get(loop.name, 0)
        index = np.asarray(index)
        return index if index.ndim else index.reshape([1] * len(self.axes))

    def _load(self, matrix: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
        inside = (row < matrix.shape[0]) & (column < matrix.shape[1])
        return np.where(inside, matrix[row % matrix.shape[0], column % matrix.shape[1]], 0)

    def _nonzero(self, loop: Loop) -> np.ndarray:
        """Return the iterations of `loop` with a digit, in their order: [step, one axis per loop].

        As many steps as the instance with most of them needs, at least one; the others end with
        iterations whose digit is zero.
        """
        digits = []
        for i in range(self.extent[loop.name]):
            self.at[loop.name] = i
            self._encode()
            digits.append(self._digit())
        zero = np.stack(digits) == 0
        order = np.argsort(zero, axis=0, kind="stable")
        steps = max(1, int((~zero).sum(axis=0).max()))
        assert np.take_along_axis(zero, order[steps:], axis=0).all(), "left out what is not zero"
        return order[:steps]

    def _encode(self) -> None:
        a = self._load(self.A, self._index("m"), self._index("k"))
        self.digits = self.nest.encoding.recode(a, self.nest.a.bits)

    def _digit(self) -> np.ndarray:
        """Return the digits of the current bit-weights of the operands encoded last."""
        bw = self._index("bw")
        shape = np.broadcast_shapes(bw.shape, self.digits.shape[:-1])
        digits = np.broadcast_to(self.digits, (*shape, self.digits.shape[-1]))
        chosen = np.take_along_axis(digits, np.broadcast_to(bw, shape)[..., None], axis=-1)
        return chosen[..., 0]

    def _map(self) -> Value:
        return (self._digit() * self._load(self.B, self._index("k"), self._index("n")),)

    def _consume(self, position: int, primitive: Primitive, value: Value) -> Value | None:
        if primitive.op == "shift":
            weight = np.int64(self.nest.encoding.radix) ** self._index("bw")
            return tuple(v * weight for v in value)
        if primitive.op == "half_reduce":
            return self._half_reduce(value, primitive.over)
        if primitive.op == "add":
            return (self._wrap(value[0] + value[1]),)
        if primitive.op == "accumulate":
            return self._accumulate(position, primitive, value)
        return value

    def _accumulate(self, position: int, primitive: Primitive, value: Value) -> Value | None:
        """Add to the running total; it leaves with the last iteration of the reduced loops."""
        others = [lp for lp in self.nest.around(primitive) if lp.sequential and not lp.reduces]
        kept = (position, *(int(self.at[loop.name]) for loop in others))
        if all(self.first[name] for name in primitive.over):
            self.totals.pop(kept, None)
        if kept in self.totals:
            value = self._merge([*self.totals[kept], *value], len(value))
        self.totals[kept] = value
        complete = all(self.last[name] for name in primitive.over)
        return self.totals.pop(kept) if complete else None

    def _half_reduce(self, value: Value, over: tuple[str, ...]) -> Value:
        rows = list(value)
        for name in over:
            axis = self.axes.index(name)
            size = self.extent[name]
            rows = [
                np.take(np.broadcast_to(row, self._shape(row, axis, size)), [i], axis=axis)
                for row in rows
                for i in range(size)
            ]
        return self._merge(rows, 2)

    @staticmethod
    def _shape(row: np.ndarray, axis: int, size: int) -> tuple[int, ...]:
        return tuple(size if i == axis else extent for i, extent in enumerate(row.shape))

    def _merge(self, rows: list[np.ndarray], keep: int) -> Value:
        """Add rows up to one word, or compress them 3:2 to a pair without adding."""
        if keep == 1:
            total = rows[0]
            for row in rows[1:]:
                total = total + row
            return (self._wrap(total),)
        while len(rows) > 2:
            x, y, z, *rest = rows
            majority = (x & y) | (x & z) | (y & z)
            rows = [*rest, self._wrap(x ^ y ^ z), self._wrap(majority << 1)]
        return tuple(rows) if len(rows) == 2 else (rows[0], np.zeros_like(rows[0]))

    def _wrap(self, value: np.ndarray) -> np.ndarray:
        return wrap(value, self.nest.acc)

    def _store(self, value: Value) -> None:
        m, n = np.broadcast_arrays(self._index("m"), self._index("n"))
        inside = (m < self.C.shape[0]) & (n < self.C.shape[1])
        self.C[m[inside], n[inside]] = np.broadcast_to(value[0], m.shape)[inside]
