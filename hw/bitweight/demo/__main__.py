"""The command of the main job: ``python -m bitweight.demo``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from bitweight.workload.jobs import IMAGES

__all__ = ["main"]

MISMATCH = 1
BAD_INPUT = 2
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job; 0 for success, 1 for a wrong result, 2 for bad input or a missing tool."""
    parser = argparse.ArgumentParser(
        prog="python -m bitweight.demo",
        description="Classify handwritten digits on the simulated Verilog of two engines, and "
        "measure what the engines cost.",
    )
    parser.add_argument("--images", type=int, default=IMAGES, help="held-out images (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of split and training (0)")
    parser.add_argument(
        "--tech",
        action="append",
        metavar="NAME",
        help="technology, may be repeated (generic, and what BITWEIGHT_TECH_PATH adds)",
    )
    parser.add_argument(
        "--design",
        action="append",
        metavar="NAME",
        help="twice: the plain MAC, then the design to compare with it",
    )
    parser.add_argument(
        "--pe-only", action="store_true", help="measure processing elements, not whole arrays"
    )
    parser.add_argument("-o", "--reports", default="reports", metavar="DIR", help="(reports)")
    given = parser.parse_args(arguments)
    try:
        from bitweight.demo.job import DESIGNS, run  # noqa: PLC0415
        from bitweight.sim import SimulationError  # noqa: PLC0415
        from bitweight.workload import Mismatch  # noqa: PLC0415
    except ModuleNotFoundError as error:
        package = error.name or "a package"
        return _complain(f"{package} is missing: pip install 'bitweight[all]' installs it")
    try:
        run(
            images=given.images,
            seed=given.seed,
            designs=given.design or DESIGNS,
            technologies=given.tech,
            arrays=not given.pe_only,
            reports=given.reports,
        )
    except (Mismatch, SimulationError) as error:
        return _complain(str(error), MISMATCH)
    except (ValueError, TypeError, OSError, RuntimeError, ImportError) as error:
        return _complain(str(error))
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    return 0


def _complain(message: str, status: int = BAD_INPUT) -> int:
    print(f"bitweight: {' '.join(message.split())}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
