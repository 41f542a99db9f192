"""The multiplier-adder tree: a vector of A is broadcast, each column adds up a dot product."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib.wiring import In, Out

from bitweight.block import Block
from bitweight.notation import Nest, hoist, resolve, unroll
from bitweight.pe.dot_product import DotProduct, DotProductPE
from bitweight.tpe.array import sized
from bitweight.tpe.sequencer import Sequencer
from bitweight.tpe.stream import Skew
from bitweight.tpe.weight_stationary import WeightStationaryArray, WeightStationaryEngine, resolved

__all__ = ["AdderTree", "AdderTreeColumn", "AdderTreeEngine"]


@dataclass(frozen=True)
class AdderTree(WeightStationaryArray):
    """``rows × cols`` multipliers and a tree of adders for each column.

    All products of a column are summed at once and added to a buffer of totals. Where sums stay
    pairs, A is recoded once for all columns.

    Parameters
    ----------
    rows, cols
        Elements of B along k and n that are in use at once.
    depth
        Rows of C that are accumulated in turn. From `rows` on, loading weights costs no time.
    span
        Columns that a row of A reaches in one step; it moves on to the next as many then.
    adder_stages
        Registers inside each column's adders, from 0 to 3; without effect where carries
        propagate in the tree.
    """

    rows: int = 16
    cols: int = 16
    depth: int = 16
    span: int = 4
    adder_stages: int = sized(1, 0, 3)
    name: ClassVar[str] = "adder-tree"

    @property
    def groups(self) -> int:
        """Number of groups of `span` columns; the last may have fewer."""
        return -(-self.cols // self.span)

    def place(self, nest: Nest) -> Nest:
        nest = unroll(self.order(nest), "np", hop=True)
        return resolve(unroll(nest, "kp"), "kp")

    def drain(self, nest: Nest) -> Nest:
        # The synthesiser's multipliers recode for themselves.
        return hoist(nest, "encode", "np") if nest.carry_save else nest

    def component(self, nest: Nest, style: str) -> AdderTreeEngine:
        return AdderTreeEngine(self, nest, style)

    def pe(self, nest: Nest, style: str) -> DotProductPE:
        return DotProductPE(DotProduct(nest, style))

    def register_bits(self, nest: Nest, style: str) -> int:
        core = DotProduct(nest, style)
        passing = self.groups * core.lanes * core.a_bits
        return passing + self.cols * DotProductPE.register_bits(core)

    def sum_latency(self, nest: Nest) -> int:
        # The port, the groups one after the other, the tree.
        return 1 + self.groups + 1 + self.column_latency(nest)


class AdderTreeColumn(Block):
    """The dot product of a column, and its adder where the sum is a pair.

    Latency: 1 step from the operands to the sum, and the adder's. Throughput: one sum per step.

    Parameters
    ----------
    core
        The dot product.
    stages
        Registers inside the adder.

    Attributes
    ----------
    en, a, b, load, update : In
        See :class:`bitweight.pe.dot_product.DotProductPE`.
    word : Out
        The sum, a signed word.
    """

    block_name = "column"

    def __init__(self, core: DotProduct, stages: int) -> None:
        self.core, self.stages = core, stages
        self.key = (id(core), stages)
        super().__init__(
            {
                "en": In(1),
                "a": In(core.lanes * core.a_bits),
                "b": In(core.b_bits),
                "load": In(1),
                "update": In(1),
                "word": Out(core.width),
            }
        )

    def build(self) -> Module:
        m = Module()
        core = self.core
        m.submodules.pe = pe = DotProductPE(core)
        for name in ("en", "a", "b", "load", "update"):
            m.d.comb += getattr(pe, name).eq(getattr(self, name))
        rows = [core.expand(i, getattr(pe, f"row_{i}")) for i in range(len(core.rows))]
        m.d.comb += self.word.eq(resolved(m, rows, self.stages, self.en))
        return m


class AdderTreeEngine(WeightStationaryEngine):
    """The adder tree behind its streams: see :class:`WeightStationaryEngine`.

    Operands are registered at the ports. A row of A then passes `span` columns in each step, so
    that a register drives no more than as many; weights and what is done with them keep up.

    Latency: a step for each group of columns, for the port, the tree and those of the adders.
    Throughput: a row of A per cycle.

    Parameters
    ----------
    array, nest
        See :class:`WeightStationaryEngine`.
    style
        See :data:`bitweight.pe.STYLES`.
    """

    array: AdderTree

    def __init__(self, array: AdderTree, nest: Nest, style: str) -> None:
        self.core = DotProduct(nest, style)
        super().__init__(array, nest, self.core.width)

    def sums(self, m: Module, step: Signal, sequencer: Sequencer) -> Value:
        groups, span = self.array.groups, self.array.span
        core = self.core
        a_entry = Signal.like(self.a.payload.data.as_value(), reset_less=True)
        b_entry = Signal.like(self.b.payload.data.as_value(), reset_less=True)
        # What is done with weights is known a step before the row of A that it is for.
        load = Signal(groups, reset_less=True)
        update = Signal(groups, reset_less=True)
        passing = [
            Signal(core.lanes * core.a_bits, name=f"a_{group}", reset_less=True)
            for group in range(groups)
        ]
        width = len(a_entry) // core.lanes
        prepared = Cat(
            core.prepare(a_entry[lane * width : (lane + 1) * width]) for lane in range(core.lanes)
        )
        with m.If(step):
            m.d.sync += [
                a_entry.eq(self.a.payload.data.as_value()),
                b_entry.eq(self.b.payload.data.as_value()),
                load.eq(Cat(sequencer.take_b, load)),
                update.eq(Cat(sequencer.update, update)),
                Cat(*passing).eq(Cat(prepared, *passing)),
            ]

        m.submodules.skew_b = skew_b = Skew("skew_b", groups, span * core.b_bits)
        m.submodules.deskew_c = deskew = Skew("deskew_c", groups, span * core.width, reverse=True)
        words = []
        for lane in range(self.array.cols):
            column = AdderTreeColumn(core, self.array.stages(self.nest))
            m.submodules[f"column_{lane}"] = column
            group = lane // span
            m.d.comb += [
                column.en.eq(step),
                column.a.eq(passing[group]),
                column.b.eq(skew_b.data_out[lane * core.b_bits : (lane + 1) * core.b_bits]),
                column.load.eq(load[group]),
                column.update.eq(update[group]),
            ]
            words.append(column.word)
        m.d.comb += [
            skew_b.en.eq(step),
            deskew.en.eq(step),
            skew_b.data_in.eq(b_entry),
            deskew.data_in.eq(Cat(*words)),
        ]
        return deskew.data_out[: self.array.cols * core.width]
