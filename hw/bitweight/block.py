"""Hardware blocks that are described once and instantiated many times."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable
from typing import Any

from amaranth.hdl import Elaboratable, Module
from amaranth.lib import wiring

__all__ = ["Block"]


class Block(wiring.Component):
    """A component that becomes one Verilog module, however often it is instantiated.

    Amaranth makes a module of every instance. A platform object with a method ``instance_of``
    (:mod:`bitweight.emit` has one) is given the block instead, and returns an ``Instance`` of
    a module that it emits once. With any other platform, such as that of Amaranth's simulator
    (``None``), a block is an ordinary component.

    Attributes
    ----------
    block_name
        What the block is called in Verilog, after the prefix of its design.
    key
        Two blocks of one class with the same key are the same hardware.
    """

    block_name: str
    key: Hashable

    @abstractmethod
    def build(self) -> Module:
        """Return the hardware of the block itself."""

    def elaborate(self, platform: Any) -> Elaboratable:
        """Return the block's hardware, or an instance of it where the platform shares blocks."""
        if hasattr(platform, "instance_of"):
            return platform.instance_of(self)
        return self.build()
