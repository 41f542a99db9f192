"""Entry point: collects the commands, and turns errors into one line and exit status 2."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence

import click
from amaranth.hdl import UnusedElaboratable

from bitweight._version import __version__
from bitweight.cli.bench import bench
from bitweight.cli.describe import list_designs, show
from bitweight.cli.gen import gen
from bitweight.cli.measure import measure
from bitweight.cli.mutate import mutate
from bitweight.cli.power import power
from bitweight.cli.prove import prove
from bitweight.cli.report import report
from bitweight.cli.run import run
from bitweight.cli.stats import stats
from bitweight.cli.synth import synth
from bitweight.cli.tech import tech
from bitweight.cli.verify import verify
from bitweight.cli.workload import workload
from bitweight.optional import NotInstalled

__all__ = ["main"]

FAILED = 1
BAD_INPUT = 2
INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
def command() -> None:
    """Generate, verify and measure tensor processing engines.

    NAME is a design of the catalog (`bitweight list`) or a TOML file with its parameters;
    `--set key=value` changes one.
    """


for entry in (
    list_designs, show, stats, gen, verify, mutate, prove, run, workload, bench, synth, power,
    measure, report, tech,
):  # fmt: skip
    command.add_command(entry)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit.

    The status is 0 for success; 1 when the work was done and failed: a check, a simulation, a tool;
    2 when it could not begin: bad input, a file or program that is missing; 130 after an interrupt.
    """
    # Of a netlist that an interrupt or an error leaves half made.
    warnings.filterwarnings("ignore", category=UnusedElaboratable)
    try:
        status = command.main(arguments, prog_name="bitweight", standalone_mode=False)
        if sys.stdout is not None:  # the caller may have closed it
            sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message())
        status = BAD_INPUT
    except click.ClickException as error:
        status = _complain(error.format_message())
    except (KeyboardInterrupt, click.exceptions.Abort):  # a RuntimeError, too
        status = INTERRUPTED
        _complain("interrupted")
    except BrokenPipeError:  # whoever reads the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = FAILED
    except (ValueError, TypeError, OSError, NotInstalled) as error:
        status = _complain(_line(error))
    except (RuntimeError, MemoryError) as error:
        _complain(str(error) or "out of memory")
        status = FAILED
    sys.exit(status)


def _line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}"
    return str(error)


def _complain(message: str) -> int:
    if sys.stderr is not None:  # print would take standard output instead
        print(f"bitweight: {' '.join(message.split())}", file=sys.stderr)
    return BAD_INPUT
