"""How arrays are made: as their elements are, but for the blocks that set the clock."""

from bitweight.catalog import catalog
from bitweight.emit import emit, modules_of
from bitweight.measure.subjects import CONTROL, DISSOLVED, array_options
from bitweight.synth import YosysOptions

OPTIONS = YosysOptions(recipe="small", premap=False)


def test_what_sets_the_clock_of_a_bit_slice_array_is_made_fast():
    design = catalog["bitslice-opt4e-small"]
    modules = tuple(modules_of(emit(design).verilog))
    made = array_options(design, OPTIONS, modules)
    short = {name.removeprefix(design.top).lstrip("_") for name in modules}
    # The tables name blocks that there are.
    assert {*CONTROL["bitslice"], *DISSOLVED["bitslice"]} <= short
    assert made.recipe == "small" and set(made.fast) <= set(modules)
    assert f"{design.top}_pe" in made.keep and f"{design.top}_pe" not in made.fast
    assert not {f"{design.top}_{name}" for name in DISSOLVED["bitslice"]} & set(made.keep)
    assert YosysOptions.from_json(made.to_json()) == made


def test_others_are_made_as_their_element():
    design = catalog["cube-opt1-small"]
    assert array_options(design, OPTIONS, ("cube_opt1_small",)) == OPTIONS
