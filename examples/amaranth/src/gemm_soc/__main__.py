"""Simulate the layer against its reference, then write its Verilog: `gemm-soc [FOLDER]`."""

import sys
from pathlib import Path

import numpy as np
from amaranth.sim import Simulator

from bitweight import OPT1, Design, SystolicOS, emit
from gemm_soc.layer import DenseLayer

SHIFT = 4


def layer(seed: int) -> DenseLayer:
    """Return a layer of 12 inputs and 4 outputs with random weights."""
    design = Design(SystolicOS(rows=3, cols=4), OPT1, a=6, b=6, acc=20)
    return DenseLayer(design, np.random.default_rng(seed).integers(-32, 32, (12, 4)), SHIFT)


def simulate(dut: DenseLayer, x: np.ndarray, seed: int) -> np.ndarray:
    """Return what comes out for the rows of `x`, with random stalls on both sides."""
    beats = dut.design.pack(x, dut.weights).a
    count = dut.design.output_beats(len(x), dut.weights.shape[1])
    got: list[list[int]] = []

    async def send(ctx):
        rng = np.random.default_rng(seed)
        for row, last in zip(beats.data, beats.last, strict=True):
            while rng.random() < 0.3:
                await ctx.tick()
            payload = {"data": [int(element) for element in row], "last": int(last)}
            ctx.set(dut.x.payload, payload)
            ctx.set(dut.x.valid, 1)
            await ctx.tick().until(dut.x.ready)
            ctx.set(dut.x.valid, 0)

    async def take(ctx):
        rng = np.random.default_rng(seed + 1)
        while len(got) < count:
            while rng.random() < 0.3:
                await ctx.tick()
            ctx.set(dut.out.ready, 1)
            (payload,) = await ctx.tick().sample(dut.out.payload).until(dut.out.valid)
            ctx.set(dut.out.ready, 0)
            got.append(list(payload.data))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(send, background=True)
    simulator.add_testbench(take)
    simulator.run()
    return dut.design.unpack(np.array(got), len(x), dut.weights.shape[1])


def main() -> None:
    """Check the layer, then write ``dense_layer.v``."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "build")
    dut = layer(seed=1)
    x = np.random.default_rng(2).integers(-32, 32, (8, 12))
    if not np.array_equal(simulate(dut, x, seed=3), dut.reference(x)):
        sys.exit("the simulation does not agree with the reference")
    # Amaranth's own back end works too; this one writes a block that occurs often once.
    text, modules = emit.to_verilog(layer(seed=1), "dense_layer")
    emit.write_files(folder, {"dense_layer.v": text})
    print(f"simulation equals reference; {len(modules)} modules in {folder / 'dense_layer.v'}")


if __name__ == "__main__":
    main()
