"""Claims: a circuit beside its specification, and the way to Yosys and back.

A claim is an Amaranth module whose circuit under test comes from the package and whose
specification is behavioural. Yosys turns what Amaranth emits into an and-inverter graph; nothing
between the two is simplified by the project itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence

from amaranth.back import rtlil
from amaranth.hdl import Cat, ClockDomain, Const, Fragment, Module, Signal, Value

from bitweight.prove.circuit import FALSE, TRUE, Builder, Circuit, words_of
from bitweight.prove.solver import satisfy
from bitweight.prove.verdict import Counterexample, Undecided, Verdict

__all__ = ["Claim", "Equality", "Invariant"]

TIMEOUT_S = 120.0
"""For one call of the solver."""


class Claim(ABC):
    """What a circuit must do, for all inputs.

    Parameters
    ----------
    m
        Holds the circuit as a submodule or in its own statements.
    inputs
        Free inputs: the claim is for all their values.
    outputs
        Values that the proof needs, by name.
    """

    def __init__(self, m: Module, inputs: Iterable[Signal], outputs: Mapping[str, Value]) -> None:
        self.m, self.inputs = m, tuple(inputs)
        self.outputs = {name: Value.cast(value) for name, value in outputs.items()}

    #: Yosys commands on the flat module, before it is reduced to gates.
    preparation: str = ""

    def rtlil(self, name: str) -> str:
        """Return what Amaranth emits for the circuit and its specification as a module `name`.

        Once for each claim: the ports are made here.
        """
        sync = ClockDomain("sync")
        reset = [signal for signal in self.inputs if signal.name == "rst"]
        ports: dict[str, tuple[Value, None]] = {"clk": (sync.clk, None)}
        for output, value in self.outputs.items():
            port = Signal(len(value), name=output)
            self.m.d.comb += port.eq(value)
            ports[output] = (port, None)
        if reset:
            self.m.d.comb += sync.rst.eq(reset[0])
        else:
            sync = ClockDomain("sync", reset_less=True)
            ports["clk"] = (sync.clk, None)
        ports |= {signal.name: (signal, None) for signal in self.inputs}
        fragment = Fragment.get(self.m, None)
        fragment.add_domains(sync)
        return rtlil.convert(fragment, name=name, ports=ports, emit_src=False)

    def facts(self) -> str:
        """Return what the claim depends on beside the text that is emitted."""
        return self.preparation

    @abstractmethod
    def decide(self, circuit: Circuit) -> Verdict:
        """Prove the claim of its circuit, or refute it.

        Raises
        ------
        Undecided
            If neither is found.
        """


class Equality(Claim):
    """Outputs of a circuit without registers equal what is expected.

    Parameters
    ----------
    m, inputs
        See :class:`Claim`.
    found, expected
        Values of equal width, by name.
    when
        Only where this holds.
    """

    def __init__(
        self,
        m: Module,
        inputs: Iterable[Signal],
        found: Mapping[str, Value],
        expected: Mapping[str, Value],
        when: Value | None = None,
    ) -> None:
        inputs = tuple(inputs)
        self._order = [signal.name for signal in inputs]
        self.names = tuple(found)
        sizes = {name: len(Value.cast(value)) for name, value in found.items()}
        words = {name: _word(value, sizes[name]) for name, value in expected.items()}
        wrong: Value = Const(0, 1)
        for name in self.names:
            wrong = wrong | (words[name] != _word(found[name], sizes[name]))
        super().__init__(
            m,
            inputs,
            {
                "wrong": wrong if when is None else wrong & when,
                **{f"found_{name}": _word(found[name], sizes[name]) for name in self.names},
                **{f"expected_{name}": words[name] for name in self.names},
            },
        )

    def decide(self, circuit: Circuit) -> Verdict:
        assert not circuit.latches, "an equality is for circuits without registers"
        bits = satisfy(circuit, "wrong", TIMEOUT_S)
        if bits is None:
            return Verdict("SAT")
        return Verdict("SAT", self._counterexample(circuit, (bits,), [], {}))

    def _counterexample(
        self,
        circuit: Circuit,
        cycles: Sequence[Mapping[str, int]],
        state: Sequence[int],
        unknown: Mapping[str, int],
    ) -> Counterexample:
        """Return a counterexample whose outputs are those of the circuit itself."""
        words = []
        outputs: dict[str, int] = {}
        for bits in cycles:
            clocked = {"clk": [0], **words_of(bits)}
            cycle_words = {n: sum(b << i for i, b in enumerate(v)) for n, v in clocked.items()}
            words.append({**dict.fromkeys(("clk", *self._order), 0), **cycle_words})
            outputs, state = circuit.step(words[-1], state)
        if not outputs["wrong"]:
            raise AssertionError("the solver's counterexample is none")
        return Counterexample(
            tuple({n: v for n, v in cycle.items() if n != "clk"} for cycle in words),
            {name: outputs.get(f"found_{name}", 0) for name in self.names},
            {name: outputs.get(f"expected_{name}", 0) for name in self.names},
            unknown,
        )


class Invariant(Equality):
    """The same in every cycle, for any sequence of inputs, by k-induction.

    The circuit under test is the submodule `dut`, whose registers start with any value; all
    other registers are the specification's and start with their own. Where there is an input
    `rst`, it is high in the first cycle and free afterwards, and nothing is claimed of the first.

    Parameters
    ----------
    m, inputs, found, expected, when
        See :class:`Equality`.
    given
        What inputs keep to in every cycle.
    probes
        Inputs of `m` that are connected to wires inside, named ``dut.total`` for example.
    depth
        The claim follows from itself in so many cycles before.
    search
        Cycles from the start in which a counterexample is looked for.
    """

    def __init__(
        self,
        m: Module,
        inputs: Iterable[Signal],
        found: Mapping[str, Value],
        expected: Mapping[str, Value],
        when: Value | None = None,
        given: Value | None = None,
        probes: Mapping[str, Signal] | None = None,
        depth: int = 1,
        search: int = 8,
    ) -> None:
        inputs = list(inputs)
        self.probes = dict(probes or {})
        self.depth, self.search = depth, search
        given = Const(1, 1) if given is None else given
        for signal in inputs:
            if signal.name == "rst":
                begun = Signal(name="begun", reset_less=True)
                m.d.sync += begun.eq(1)
                given = given & (begun | signal)
                when = begun if when is None else when & begun
        super().__init__(m, [*inputs, *self.probes.values()], found, expected, when)
        self.outputs["given"] = given
        self.preparation = "\n".join(
            [
                "setattr -unset init w:dut.*",
                *(f"delete -input w:{probe.name}" for probe in self.probes.values()),
                *(
                    f"connect -nounset -set {probe.name} {wire}"
                    for wire, probe in self.probes.items()
                ),
            ]
        )

    def facts(self) -> str:
        return f"{self.preparation} {self.depth}"

    def decide(self, circuit: Circuit) -> Verdict:
        method = f"induction, depth {self.depth}"
        # Shallow cycles first: a counterexample from the start is the one to be shown.
        step_holds = self._search(circuit, self.depth, start=False) is None
        last = self.depth if step_holds else self.search
        for frame in range(last + 1):
            bits = self._search(circuit, frame, start=True)
            if bits is not None:
                return Verdict(method, self._trace(circuit, bits, frame))
        if not step_holds:
            raise Undecided(
                f"not inductive with depth {self.depth}, no counterexample in {last + 1} cycles"
            )
        return Verdict(method)

    def _search(self, circuit: Circuit, frame: int, *, start: bool) -> dict[str, int] | None:
        """Return inputs with which a cycle is wrong for the first time, or ``None``.

        Parameters
        ----------
        frame
            Number of that cycle.
        start
            Begin with the initial state, instead of any.
        """
        build = Builder()
        state = [
            build.input(f"state.{i}") if latch.init is None or not start else latch.init
            for i, latch in enumerate(circuit.latches)
        ]
        frames = [
            [build.input(f"{cycle}.{name}") for name in circuit.inputs]
            for cycle in range(frame + 1)
        ]
        wrong = TRUE
        for cycle, inputs in enumerate(frames):
            table = build.copy(circuit, [*inputs, *state])

            def literal(lit: int, table: list[int] = table) -> int:
                return table[lit >> 1] ^ (lit & 1)

            bad = literal(circuit.outputs["wrong"])
            wrong = build.both(wrong, literal(circuit.outputs["given"]))
            wrong = build.both(wrong, bad if cycle == frame else bad ^ 1)
            state = [literal(latch.following) for latch in circuit.latches]
        if wrong == FALSE:
            return None
        return satisfy(build.circuit({"wrong": wrong}), "wrong", TIMEOUT_S)

    def _trace(self, circuit: Circuit, bits: Mapping[str, int], frame: int) -> Counterexample:
        state, unknown = [], {}
        for i, latch in enumerate(circuit.latches):
            state.append(bits[f"state.{i}"] if latch.init is None else latch.init)
            if latch.init is None:
                unknown[latch.names[0]] = state[-1]
        cycles = [
            {name: bits[f"{cycle}.{name}"] for name in circuit.inputs} for cycle in range(frame + 1)
        ]
        return self._counterexample(circuit, cycles, state, unknown)


def _word(value: Value, width: int) -> Value:
    """Return a value, extended as its sign asks for or cut, as a word."""
    value = Value.cast(value)
    if len(value) >= width:
        return value[:width]
    top = value[-1] if value.shape().signed else Const(0, 1)
    return Cat(value, top.replicate(width - len(value)))
