"""What a proof attempt ends with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Counterexample", "Undecided", "Verdict"]


class Undecided(Exception):
    """Neither a proof nor a counterexample was found with the means of a claim."""


@dataclass(frozen=True)
class Counterexample:
    """Inputs for which a circuit does not do what it should.

    Parameters
    ----------
    inputs
        A non-negative word for each input, in each cycle; a single one where there are no
        registers.
    found, expected
        The words that come out in the last cycle, and those that should.
    state
        Register bits at the start that have no initial value; by name.
    """

    inputs: tuple[Mapping[str, int], ...]
    found: Mapping[str, int]
    expected: Mapping[str, int]
    state: Mapping[str, int]

    def __str__(self) -> str:
        lines = []
        for cycle, words in enumerate(self.inputs):
            text = " ".join(f"{name}={value:#x}" for name, value in words.items())
            lines.append(text if len(self.inputs) == 1 else f"cycle {cycle}: {text}")
        for name, value in self.found.items():
            if value != self.expected[name]:
                lines.append(f"{name}: expected {self.expected[name]:#x}, found {value:#x}")
        return "\n".join(lines)


@dataclass(frozen=True)
class Verdict:
    """A proof, or a counterexample.

    Parameters
    ----------
    method
        In a few words.
    counterexample
        ``None`` where the claim is proven.
    """

    method: str
    counterexample: Counterexample | None = None
