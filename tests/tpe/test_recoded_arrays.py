"""Every dense array × transformation with encodings other than mbe, in Amaranth's simulator."""

import numpy as np
import pytest
from amaranth.sim import Simulator

from bitweight import ENCODINGS, Design, catalog
from bitweight.emit import emit
from bitweight.tpe import AdderTree, Cube, Matrix2D, SystolicOS, SystolicWS

OTHERS = [name for name in ENCODINGS if name != "mbe"]
DENSE = (SystolicOS, SystolicWS, Matrix2D, Cube, AdderTree)
SMALL = [
    name
    for name, design in catalog.items()
    if name.endswith("-small") and isinstance(design.array, DENSE)
]


def design_of(name: str, encoding: str, **changes) -> Design:
    # The operator `*` recodes nothing.
    style = "fused-sklansky" if catalog[name].mac.name == "mac" else "operator"
    sizes = {"rows": 2, "cols": 2}
    return catalog[name].with_(
        **{"encoding": encoding, "style": style, "a": 5, "b": 4, "acc": 12} | sizes | changes
    )


def run(design: Design, A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """Return the product of a design's component, sent without stalls."""
    component = design.create()
    operands = design.pack(A, B)
    count = design.output_beats(A.shape[0], B.shape[1])
    beats = []

    def sender(port, stream):
        async def send(ctx):
            for row, last in zip(stream.data, stream.last, strict=True):
                ctx.set(port.payload, {"data": row.tolist(), "last": int(last)})
                ctx.set(port.valid, 1)
                await ctx.tick().until(port.ready)
            ctx.set(port.valid, 0)

        return send

    async def receive(ctx):
        port = component.c
        ctx.set(port.ready, 1)
        while len(beats) < count:
            (payload,) = await ctx.tick().sample(port.payload).until(port.valid)
            beats.append([payload.data[i] for i in range(len(payload.data))])

    simulator = Simulator(component)
    simulator.add_clock(1e-6)
    simulator.add_testbench(sender(component.a, operands.a), background=True)
    simulator.add_testbench(sender(component.b, operands.b), background=True)
    simulator.add_testbench(receive)
    simulator.run()
    return design.unpack(np.array(beats, dtype=np.int64), A.shape[0], B.shape[1])


@pytest.mark.parametrize("encoding", OTHERS)
@pytest.mark.parametrize("name", SMALL)
def test_arrays_multiply_with_every_encoding(name, encoding, rng):
    design = design_of(name, encoding)
    A, B = rng.integers(-16, 16, (3, 5)), rng.integers(-8, 8, (5, 3))
    A[0], B[:, 0] = -16, -8
    np.testing.assert_array_equal(run(design, A, B), A @ B)


@pytest.mark.parametrize("encoding", OTHERS)
@pytest.mark.parametrize("name", SMALL)
def test_the_nest_multiplies_with_every_encoding(name, encoding, rng):
    design = design_of(name, encoding, a=8, b=8, acc=32)
    A, B = rng.integers(-128, 128, (6, 11)), rng.integers(-128, 128, (11, 5))
    np.testing.assert_array_equal(design.nest.execute(A, B), A @ B)


@pytest.mark.parametrize("name", ["systolic-os-mac-small", "systolic-ws-opt1-small"])
def test_each_encoding_makes_hardware_of_its_own(name):
    texts = {emit(design_of(name, encoding)).verilog for encoding in ENCODINGS}
    assert len(texts) == len(ENCODINGS)


def test_a_bit_serial_pass_for_every_digit():
    A, B = np.ones((2, 4), dtype=int), np.ones((4, 2), dtype=int)
    name = "cube-opt2-temporal-small"
    cycles = {
        encoding: design_of(name, encoding, a=8, b=8, acc=32).cycles(A, B) for encoding in ENCODINGS
    }
    assert cycles["mbe"] == cycles["ent"] == cycles["csd4"]
    # Twice as many digits: four passes more, of one beat.
    assert cycles["serial"] == cycles["mbe"] + 4
