"""A register of which a reset clears no more than it must."""

from __future__ import annotations

from amaranth.hdl import Cat, Signal, Value

__all__ = ["operand_register", "repeated"]


def operand_register(name: str, bits: int, zero_bits: int, count: int = 1) -> Value:
    """Return a register for operands, side by side, that a reset makes zero.

    A bit that is cleared by a reset takes a gate, and data pass through one register after the
    other.

    Parameters
    ----------
    name
        Of the register; bits that a reset leaves as they are get ``_rest`` behind it.
    bits
        Width of an operand.
    zero_bits
        A mask of its bits that are cleared; it is zero without them.
    count
        Number of operands.
    """
    mask = repeated(zero_bits, bits, count)
    cleared = Signal(mask.bit_count(), name=name)
    if len(cleared) == count * bits:
        return cleared
    rest = Signal(count * bits - len(cleared), name=f"{name}_rest", reset_less=True)
    of_cleared, of_rest = iter(cleared), iter(rest)
    return Cat(next(of_cleared if mask >> i & 1 else of_rest) for i in range(count * bits))


def repeated(mask: int, bits: int, count: int) -> int:
    """Return the mask of `count` words side by side, each of so many bits."""
    return sum(mask << i * bits for i in range(count))
