"""A model that does not come back from one evaluation, and one that crashes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bitweight import MAC, Design, SystolicOS
from bitweight.emit import emit
from bitweight.sim import CompiledDesign, SimulationError

DESIGN = Design(SystolicOS(1, 1), MAC, a=2, b=2, acc=8)
A, B = np.array([[1, -2]]), np.array([[-2], [1]])
BAD = {
    # From the second operand on: what was computed before must not be taken for a result.
    "hangs": "for (;;) ::pause();",
    "crashes": "__builtin_trap();",
}
HEEDS = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
ELSEWHERE = """
import threading
threading.Thread(target=threading.Event().wait, daemon=True).start()
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
"""
"""The system gives the signal to the other thread, as it does at times while a program begins."""

INTERRUPTED = """
from test_models_that_hang import A, B, model
try:
    model("hangs").gemm(A, B, progress=print)
except KeyboardInterrupt:
    print("interrupted")
"""


def model(what: str) -> CompiledDesign:
    """Return a design whose Verilog does something else than to end in some clock cycle."""
    made = emit(DESIGN)
    statement = (
        "  reg [3:0] seen = 0;\n"
        "  always @(posedge clk) if (a__valid) begin\n"
        f"    seen <= seen + 1; if (seen == 1) $c({BAD[what]!r});\n"
        "  end\n"
    ).replace("'", '"')
    head = re.search(rf"module {made.top}\(.*?\);\n", made.verilog, re.DOTALL)
    assert head is not None
    verilog = made.verilog.replace(head[0], head[0] + statement)
    return CompiledDesign(DESIGN, emission=replace(made, verilog=verilog))


def models_of(parent: int) -> list[int]:
    """Return the processes that are models and were begun by a process."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            name, rest = (entry / "stat").read_text().rsplit(")", 1)
            if name.endswith("(model") and int(rest.split()[1]) == parent:
                found.append(int(entry.name))
        except OSError:
            pass
    return found


def gone(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def test_a_time_limit():
    with pytest.raises(SimulationError, match=r"^the model gave no sign of life for 1 s$") as why:
        model("hangs").gemm(A, B, patience=1)
    assert why.value.category == "silent" and not models_of(os.getpid())


def test_a_crash_is_an_error_and_not_the_end_of_python():
    with pytest.raises(SimulationError, match=r"^the model was ended by SIG(ILL|TRAP)$") as why:
        model("crashes").gemm(A, B)
    assert why.value.category == "crash"


@pytest.mark.parametrize(
    ("sent", "thread"),
    [(signal.SIGINT, ""), (signal.SIGINT, ELSEWHERE), (signal.SIGKILL, "")],
    ids=["SIGINT", "SIGINT-elsewhere", "SIGKILL"],
)
def test_a_signal_ends_the_model_with_its_caller(sent, thread):
    model("hangs")  # is built
    with subprocess.Popen(
        [sys.executable, "-c", HEEDS + thread + INTERRUPTED],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)},
    ) as process:
        try:
            while not (models := models_of(process.pid)):
                assert process.poll() is None
            if thread:
                time.sleep(0.5)  # until its caller waits for an answer
            process.send_signal(sent)
            text = process.communicate(timeout=60)[0]
        finally:
            process.kill()
    assert text == ("interrupted\n" if sent == signal.SIGINT else "")
    while not all(map(gone, models)):  # the system ends them a moment later
        pass


@pytest.mark.parametrize("bad", [0, -1.0, "x", float("inf")])
def test_bad_time_limits(bad):
    with pytest.raises(ValueError, match="patience must be a number of seconds above 0, not"):
        model("hangs").gemm(A, B, patience=bad)
