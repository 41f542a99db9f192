"""Nets that ABC leaves alone for want of knowing what hangs on them get buffers."""

import pytest

from bitweight.synth import find_technology
from bitweight.synth.buffers import buffer_fanout


def design(flops):
    """An inverter that drives an output and the enables of flip-flops."""
    cells = {
        "driver": {"type": "INV_X1", "connections": {"A": [2], "Y": [3]}},
    }
    for at in range(flops):
        cells[f"flop_{at}"] = {
            "type": "DFFE_X1",
            "connections": {"CK": [4], "D": [5], "E": [3], "Q": [10 + at]},
        }
    ports = {
        "a": {"direction": "input", "bits": [2]},
        "clk": {"direction": "input", "bits": [4]},
        "d": {"direction": "input", "bits": [5]},
        "y": {"direction": "output", "bits": [3]},
    }
    names = {"n": {"bits": [3]}}
    return {"modules": {"top": {"ports": ports, "cells": cells, "netnames": names}}}


@pytest.mark.parametrize(("flops", "buffered"), [(2, False), (7, False), (8, True), (22, True)])
def test_many_enables_are_buffered(flops, buffered):
    made = design(flops)
    added = buffer_fanout(made, "top", find_technology("generic"), ("clk", "d"))
    cells = made["modules"]["top"]["cells"]
    on_driver = [name for name, cell in cells.items() if cell["connections"].get("E") == [3]]
    assert (added > 0) == buffered
    assert (len(on_driver) < flops) == buffered
    assert cells["flop_0"]["connections"]["CK"] == [4], "the clock is left alone"
