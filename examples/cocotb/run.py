"""Emit a design, build it with cocotb's own runner, and run the testbench beside this file.

Usage: ``python run.py [icarus|verilator]``
"""

import sys
from pathlib import Path

from bench import DESIGN
from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner

from bitweight.emit import emit

HERE = Path(__file__).parent


def main(simulator: str) -> int:
    """Return how many tests failed."""
    build = Path("build")
    emission = emit(DESIGN)
    build.mkdir(exist_ok=True)
    source = build / f"{emission.top}.v"
    source.write_text(emission.verilog, encoding="utf-8")
    runner = get_runner(simulator)
    arguments = ["-Wno-fatal", "-Wno-lint"] if simulator == "verilator" else []
    runner.build(
        sources=[source],
        hdl_toplevel=emission.top,
        build_dir=build,
        build_args=arguments,
        always=True,
    )
    results = runner.test(
        test_module="bench", hdl_toplevel=emission.top, build_dir=build, test_dir=HERE
    )
    return get_results(results)[1]


if __name__ == "__main__":
    sys.exit(1 if main(*sys.argv[1:] or ["icarus"]) else 0)
