"""What cannot be read from code: which claims and which tests are of which circuit."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["CLAIMS", "COMPILED", "PART_OF", "SUITES", "TESTS", "named_tests"]

PRODUCTS = ("products", "product-mbe", "product-ent", "product-csd4", "product-serial")

CLAIMS: Mapping[str, tuple[str, ...]] = {
    "arith.product.PartialProduct": ("partial-product", *PRODUCTS),
    "arith.product.SumOfProducts": PRODUCTS,
    "pe.bit_serial.OneDigit": ("one-digit-step", "sparse-step", "output-stationary-pe", "passes"),
    "pe.bit_serial.BitSerialMac": ("one-digit-step", "output-stationary-pe"),
    "pe.dot_product.MadeDigits": ("dot-product",),
    "pe.dot_product.DotProduct": ("dot-product", "dot-product-pe"),
    "pe.dot_product.DotProductPE": ("dot-product-pe",),
    "pe.mac.OperatorMac": ("operator-mac", "output-stationary-pe", "weight-stationary-pe"),
    "pe.mac.FusedMac": ("fused-step", "fused-adder", "output-stationary-pe"),
    "pe.terms.Term": ("terms", "laconic-pe"),
    "pe.terms.Terms": ("terms", "laconic-pe"),
    "pe.weight_stationary.CarrySaveHop": ("carry-save-hop", "weight-stationary-pe"),
    "pe.weight_stationary.WeightStationaryPE": ("weight-stationary-pe",),
    "pe.weight_stationary.start_of": (),
    "tpe.accumulation.Accumulation": ("accumulation",),
    "tpe.accumulation.AccumulationColumn": ("accumulation-column",),
    "tpe.adder_tree.AdderTreeColumn": ("array-results",),
    "tpe.adder_tree.AdderTreeEngine": ("array-results",),
    "tpe.arbiter.Arbiter": ("arbiter",),
    "tpe.banks.Bank": ("bank",),
    "tpe.laconic_engine.LaconicColumn": ("array", "array-results"),
    "tpe.laconic_engine.LaconicEngine": ("array", "array-results"),
    "tpe.laconic_engine.spread": ("array", "array-results"),
    "tpe.passes.DigitSelector": ("passes",),
    "tpe.passes.Passes": ("passes",),
    "tpe.stream.Skew": ("skew",),
    "tpe.stream.SkidBuffer": ("skid-buffer",),
    "tpe.systolic_ws.SystolicWSEngine": ("array-results",),
    "tpe.systolic_ws.WeightStationaryColumn": ("array-results",),
    "tpe.term_feed.PairWalk": ("pair-walk",),
    "tpe.term_feed.TermFeed": ("term-feed",),
    "tpe.weight_stationary.WeightStationaryEngine": ("array-results",),
    "tpe.weight_stationary.resolved": ("array-results",),
}
"""Families of claims by circuit, where its module has several."""

_ENCODER = (
    "tests/arith/test_encodings.py::test_hardware_equals_its_twin_for_every_operand",
    "every operand of 2 to 16 bits against the NumPy twin",
)
_BENCHED = (
    "tests/tpe/test_laconic.py::test_arrays_of_other_sizes_pass_the_bench",
    "the bench on arrays of other sizes and widths",
)
_LOADED = (
    "tests/tpe/test_bit_slice.py::test_words_go_to_lanes_then_places_then_rows",
    "random tiles and stalls; every word and every count against the definition",
)

TESTS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "arith.bitheap.Compressor": (
        (
            "tests/arith/test_circuits.py::test_compressor_hardware_equals_its_twin",
            "random heaps and bits against the NumPy twin",
        ),
    ),
    "arith.booth.ModifiedBooth": (_ENCODER,),
    "arith.csd4.CanonicalSignedDigit": (_ENCODER,),
    "arith.ent.EnT": (_ENCODER,),
    "arith.serial.BitSerial": (_ENCODER,),
    "arith.prefix.PrefixAdder": (
        (
            "tests/arith/test_circuits.py::test_adders_exhaustively",
            "all pairs of up to 4 bits",
        ),
    ),
    "arith.product.SumOfProducts": (
        (
            "tests/arith/test_circuits.py::test_sums_of_products",
            "random and extreme operands, hardware and twin against NumPy",
        ),
    ),
    "arith.segmented.SegmentedAdder": (
        (
            "tests/arith/test_circuits.py::test_segmented_adders",
            "random operands and stalls against NumPy",
        ),
    ),
    "arith.sparse.FirstNonZero": (
        (
            "tests/arith/test_sparse.py::test_first_rest_last_and_none",
            "every mask of up to 10 digits, random ones of up to 16",
        ),
    ),
    "pe.bit_serial.BitSerialMac": (
        (
            "tests/pe/test_bit_serial.py::test_hardware_equals_twin_step_by_step",
            "random digits, shifts and tiles against the NumPy twin",
        ),
    ),
    "pe.carry_save.CarrySaveMac": (
        (
            "tests/pe/test_accumulate.py::test_hardware_equals_twin_step_by_step",
            "random operands and tiles against the NumPy twin",
        ),
    ),
    "pe.dot_product.DotProduct": (
        (
            "tests/pe/test_stationary.py::test_dot_product_hardware_equals_its_twin",
            "random operands against the NumPy twin",
        ),
    ),
    "pe.laconic.LaconicPE": (
        (
            "tests/pe/test_laconic_pe.py::test_the_element_adds_products_of_terms",
            "random terms against NumPy",
        ),
    ),
    "pe.sparse.SparsePE": (
        (
            "tests/pe/test_sparse_pe.py::test_sums_of_words_that_come_as_early_as_they_may",
            "random words at every pace that is allowed, sums against NumPy",
        ),
        (
            "tests/pe/test_sparse_pe.py::test_extreme_sums_fit_and_would_not_in_a_bit_less",
            "the largest and smallest sums that a pass can have",
        ),
    ),
    "pe.weight_stationary.start_of": (
        (
            "tests/pe/test_stationary.py::test_a_total_is_exact_after_its_hops",
            "random and extreme operands, the total after 1, 3 and 16 hops against NumPy",
        ),
    ),
    "tpe.arbiter.Arbiter": (
        (
            "tests/tpe/test_banks.py::test_each_bank_opens_the_row_of_the_column_furthest_behind",
            "all requests of 3 columns; random ones of up to 16, against the rule in NumPy",
        ),
        (
            "tests/tpe/test_banks.py::test_columns_in_the_same_row_never_meet",
            "columns that keep pace are all served",
        ),
    ),
    "tpe.banks.Bank": (
        (
            "tests/tpe/test_banks.py::test_banks_keep_every_word",
            "every place written, at random again, and read at random meanwhile",
        ),
    ),
    "tpe.digit_column.DigitColumn": (
        (
            "tests/tpe/test_bit_slice.py::test_passes_end_when_all_lanes_are_done",
            "random words and service: every digit once, ends of passes apart",
        ),
    ),
    "tpe.digit_feeder.DigitFeeder": (
        (
            "tests/tpe/test_digit_feeder.py::test_it_asks_for_every_digit_once_and_in_order",
            "random blocks and service: every non-zero digit of every word, in order",
        ),
        (
            "tests/tpe/test_digit_feeder.py::test_reset_empties_it",
            "a reset in the middle of a block",
        ),
    ),
    "tpe.laconic_engine.LaconicColumn": (_BENCHED,),
    "tpe.laconic_engine.LaconicEngine": (_BENCHED,),
    "tpe.layout.BlockLayout": (_LOADED,),
    "tpe.loader.Loader": (_LOADED,),
    "tpe.merge.MergeColumn": (
        (
            "tests/tpe/test_merge.py::test_totals_are_exact_at_the_smallest_gap",
            "random totals as fast as allowed and with stalls, against integers of Python",
        ),
        (
            "tests/tpe/test_merge.py::test_no_smaller_gap_would_do",
            "a step less, and totals are wrong",
        ),
    ),
    "tpe.passes.Passes": (
        (
            "tests/tpe/test_passes.py::test_digits_come_most_significant_first",
            "random beats, gaps and a reset, against the encoding",
        ),
    ),
    "tpe.plane.Plane": (
        (
            "tests/tpe/test_banks.py::"
            "test_a_plane_multiplies_with_the_operands_it_is_told_to_fetch",
            "random digits and places, sums against NumPy",
        ),
    ),
    "tpe.sequencer.Sequencer": (
        (
            "tests/tpe/test_weight_stationary.py::test_sequencer",
            "30 random tiles with stalls: what is taken, in which order, how far apart",
        ),
    ),
    "tpe.term_feed.PairWalk": (
        (
            "tests/tpe/test_laconic.py::test_a_walk_meets_every_pair_once_and_says_when_it_ends",
            "all numbers of terms of both operands",
        ),
    ),
    "tpe.term_feed.TermFeed": (
        (
            "tests/tpe/test_laconic.py::test_one_element_fed_with_groups_without_a_gap",
            "corners and random groups: exact sums in exactly the cycles",
        ),
    ),
}
"""Tests of one circuit: where they are, and what they do."""

PART_OF: Mapping[str, str] = {
    "arith.onehot.choose": "tpe.digit_feeder.DigitFeeder",
    "tpe.laconic_engine.spread": "tpe.laconic_engine.LaconicEngine",
    "tpe.layout.BlockLayout": "tpe.bit_slice_engine.BitSliceEngine",
    "tpe.weight_stationary.resolved": "tpe.weight_stationary.WeightStationaryEngine",
}
"""Circuits that are no components and have no proof, or few: the component that they are in."""

COMPILED = "tests/sim/test_compile.py::test_small_designs_agree_with_numpy"
"""The compiled simulation of each small design."""

SUITES: Mapping[str, str] = {
    COMPILED: "the compiled simulation of every small design, three sizes and stalls on all "
    "streams, products and cycles against NumPy and the model",
    "tests/configurations/test_configurations.py::test_a_legal_design_is_right": "a random legal "
    "design each, over arrays, transformations, encodings, widths, sizes and depths: emitted, "
    "without a warning of Verilator; the first of every array and transformation, or all where "
    "more than 60 are drawn, compiled and equal to NumPy with random operands and stalls",
    "tests/configurations/test_illegal_designs.py": "thousands of random values for parameters, "
    "settings and operands: right, or refused in one line that names them",
    "tests/tpe/test_recoded_arrays.py::test_arrays_multiply_with_every_encoding": "every dense "
    "array and transformation with the other encodings, in Amaranth's simulator",
    "tests/prove/test_refuted.py": "circuits broken on purpose: each is refuted, and its "
    "counterexample is true in simulation",
    "tests/prove/test_refuted_blocks.py": "a wire of each block stuck: its claim is refuted",
    "tests/verif/test_bench_fails.py": "engines broken on purpose: the bench finds each, and says "
    "what is wrong",
    "tests/verif/test_mutant_proofs.py": "machines so small that all states of netlist and mutant "
    "are gone through: no mutant is proven equivalent that can be told from the netlist, and all "
    "others are",
    "tests/emit/test_waivers.py": "every waiver below matches a warning, and hides none of "
    "another kind",
}
"""Tests of many circuits, and of the means themselves."""


def named_tests() -> list[str]:
    """Return all tests that are told of, each once: functions, or whole files."""
    of_circuits = (test for tests in TESTS.values() for test, _ in tests)
    return list(dict.fromkeys([*of_circuits, *SUITES]))
