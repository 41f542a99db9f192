"""Records and the reports from them: the figures are right, and nothing but records is needed."""

import json
import re

import pytest
from click.testing import CliRunner
from imagined import AREAS, ImaginedStore

from bitweight.cli.main import command
from bitweight.measure import ARRAYS, PES, Campaign, claims, pages, tables
from bitweight.measure.reasons import reasons


@pytest.fixture(scope="module")
def record():
    ticks = []
    campaign = Campaign(
        "generic", ImaginedStore(), jobs=2, progress=lambda *tick: ticks.append(tick)
    )
    found = campaign.run()
    assert [done for done, _, _ in ticks] == list(range(1, len(ticks) + 1))
    assert ticks[-1][0] == ticks[-1][1], "as many runs as were foretold"
    return json.loads(json.dumps(found))


@pytest.fixture
def folder(record, tmp_path):
    (tmp_path / "measured-generic.json").write_text(json.dumps(record))
    return tmp_path


def column(table, name, key):
    row = next(row for row in table.rows if row[0] == key)
    return row[table.head.index(name)]


def test_everything_is_in_the_record(record):
    assert [one["key"] for one in record["subjects"]] == [one.key for one in (*PES, *ARRAYS)]
    mac = record["subjects"][0]
    assert mac["best"]["made_as"].startswith("fused-sklansky")
    assert mac["at_baseline"]["clock_ns"] == mac["best"]["min_period_ns"]
    assert {one["acc"] for one in record["accumulator"]} == {16, 20, 24, 28, 32, 40, 48}
    array = next(one for one in record["subjects"] if one["key"] == "array/systolic-os-mac")
    assert array["best"]["design"]["style"] == "fused-sklansky"


def test_ratios_are_throughput_per_area_over_the_baselines(record):
    elements = tables.element_table(record)
    # 2 ns · 90 against 1 ns · 110
    assert column(elements, "area efficiency", "systolic-os-opt1") == f"{180 / 110:.2f}×"
    assert column(elements, "energy efficiency", "systolic-os-opt1") == "2.00×"
    assert column(elements, "glitches", "systolic-os-opt1") == "25%"
    # At 2 ns, the MAC's own clock, the opt1 element takes no more than at 1 ns here.
    assert column(elements, "pJ/MAC at it", "systolic-os-opt1") == "2"
    # one digit a cycle: 1 / (0.8 ns · 30), in MMAC-digit/s per 1000 NAND2
    rate = column(elements, "MMAC-digit/s/kNAND2", "bitslice-opt4c")
    assert rate == f"{1e6 / (0.8 * 30):,.0f}"
    arrays = tables.array_table(record)
    assert column(arrays, "area efficiency", "systolic-os-opt1") == f"{2 * 95 / 115:.2f}×"
    assert column(arrays, "paper", "systolic-os-opt1") == "1.27×"
    assert column(arrays, "paper ", "matrix2d-opt1") == "1.20×"


def test_buffers_are_counted_and_left_out(record):
    table = tables.bitslice_table(record)
    assert column(table, "buffers", "bitslice-opt4c") == f"{10 / 45:.0%}"
    one = next(one for one in record["subjects"] if one["key"] == "array/bitslice-opt4c")
    gain = tables.ratio(record, one, buffers=False) / tables.ratio(record, one)
    assert gain == pytest.approx(45 / 35)


def test_flat_and_hierarchical_are_compared(record):
    assert tables.flat_table(record).rows[2][2:4] == ("-4.0%", "+0.0%")


def test_what_falls_short_is_said_with_reasons(record, monkeypatch):
    assert not any("systolic-os-opt1" in text for text in reasons(record))
    monkeypatch.setitem(claims.ARRAY_AREA, "systolic-os", 9.99)
    told = next(text for text in reasons(record) if "systolic-os-opt1" in text)
    assert "9.99×" in told and "1.65×" in told
    assert "critical path" in told and "pe 96%" in told and "`*` and `+`" in told


def test_the_report_is_made_from_the_records_alone(folder):
    ran = CliRunner().invoke(command, ["report", str(folder)])
    assert ran.exit_code == 0, ran.output
    made = {path.name for path in folder.iterdir()}
    names = ("curves", "gains", "energy-gains", "energy", "sigma", "widths")
    assert made >= {f"measured-{name}.{form}" for name in names for form in ("png", "svg")}
    text = (folder / "measured.md").read_text()
    for name in re.findall(r"\]\((.*?)\)", text):
        assert (folder / name).is_file()
    page = (folder / "measured.html").read_text()
    assert not re.search(r"""(src|href)=["'](?!#|data:)""", page), "the page needs nothing else"
    assert page.count("<table>") == page.count("</table>") == text.count("Measured by `")
    for title in ("Processing elements", "Arrays", "Bit-slice arrays", "Accumulator width"):
        assert title in text and title in page


def test_the_same_records_make_the_same_bytes(folder):
    records = pages.load_records(folder)
    assert pages.pictures(records) == pages.pictures(records)


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "in JSON"), ('{"schema": 99}', "must be 1, not 99"), ("[]", "in JSON")],
)
def test_a_damaged_record_is_refused(tmp_path, text, said):
    (tmp_path / "measured-x.json").write_text(text)
    with pytest.raises(ValueError, match=said):
        pages.load_records(tmp_path)
    with pytest.raises(ValueError, match="folder must hold measured-"):
        pages.load_records(tmp_path / "none")


def test_the_command_writes_records_and_tells_what_got_worse(tmp_path, monkeypatch):
    monkeypatch.setattr("bitweight.measure.store.Store", ImaginedStore)

    def run(*more):
        arguments = ["measure", "--tech", "generic", "--part", "pe", "-o", str(tmp_path), *more]
        return CliRunner().invoke(command, arguments)

    assert run("--accept").exit_code == 0
    accepted = (tmp_path / "accepted.json").read_text()
    assert run().exit_code == 0
    monkeypatch.setitem(AREAS, "opt1", 113.0)
    worse = run()
    assert worse.exit_code == 1 and "pe/systolic-os-opt1 on generic: area 113" in worse.output
    assert "2.7% above the accepted 110" in worse.output
    monkeypatch.setitem(AREAS, "opt1", 109.0)
    monkeypatch.setitem(AREAS, "mac", 150.0)
    assert "pe/systolic-os-mac on generic: a baseline" in run().output
    assert (tmp_path / "accepted.json").read_text() == accepted
    refused = run("--jobs", "0")
    assert isinstance(refused.exception, ValueError) and "--jobs" in str(refused.exception)


def test_elements_alone_make_a_report(tmp_path):
    record = Campaign("generic", ImaginedStore(), parts=("pe",)).run()
    (tmp_path / "measured-generic.json").write_text(json.dumps(record))
    text = pages.markdown(pages.load_records(tmp_path), [])
    assert "Processing elements" in text and "Bit-slice arrays" not in text
    assert list(pages.pictures([record])) == ["curves"]
    with pytest.raises(ValueError, match="parts must be of pe, accumulator"):
        Campaign("generic", ImaginedStore(), parts=("all",))


def test_other_widths_are_compared_and_arrays_measured_at_their_baselines_clock(record):
    table = tables.operand_table(record)
    assert [row[0] for row in table.rows] == ["4", "6", "10", "12", "16"]
    assert {row[-1] for row in table.rows} == {f"{2 * 90 / 110:.2f}×"}
    array = next(one for one in record["subjects"] if one["key"] == "array/systolic-os-opt1")
    clock = array["at_baseline"]["clock_ns"]
    assert clock == 2.0 and clock in [point["target_ns"] for point in array["curve"]]
    arrays = [one for one in record["subjects"] if not one["pe"]]
    assert arrays and all(len({point["target_ns"] for point in one["curve"]}) > 1 for one in arrays)
