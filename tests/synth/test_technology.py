"""Technologies: what is shipped, what a user adds, and what is said when something is wrong."""

import gzip
import shutil

import pytest

from bitweight.synth import TechnologyError, find_technology, published, technologies
from bitweight.synth.generic import liberty_text

TOML = """\
name = "mine"
liberty = ["part*.lib"]
area_unit = "NAND2"
nand2 = "NAND2_X1"
driving_cell = ["BUF_X2", "Y"]
output_load = 4
tie_hi = ["TIEHI", "Y"]
tie_lo = ["TIELO", "Y"]
buffer = ["BUF_X8", "A", "Y"]
"""


@pytest.fixture
def mine(no_tech_path):
    (no_tech_path / "part1.lib").write_text(liberty_text())
    (no_tech_path / "mine.toml").write_text(TOML)
    return no_tech_path / "mine.toml"


def test_shipped(no_tech_path):
    assert {"generic", "sky130hd", "asap7"} <= set(technologies())
    assert "NAND2_X1" in find_technology("generic").library.cells
    for name in ("sky130hd", "asap7"):
        assert published(name)["where"].startswith("https://")
        assert all(len(value) == 64 for value in published(name)["sha256"].values())


@pytest.mark.parametrize(
    ("name", "area", "unit"), [("sky130hd", 3.7536, 1.0), ("asap7", 0.08748, 0.001)]
)
def test_real_libraries(tech_path, name, area, unit):
    technology = find_technology(name)
    assert technology.nand2_area == pytest.approx(area)
    assert technology.library.time_unit_ns == pytest.approx(unit)
    assert technology.library.sha256 == technology.sha256
    assert all(path.suffix == ".lib" for path in technology.library.files)
    assert all(tech_path not in path.parents for path in technology.library.files)


def test_a_users_own(mine, monkeypatch):
    assert find_technology(mine).nand2_area == pytest.approx(1.0)
    monkeypatch.setenv("BITWEIGHT_TECH_PATH", str(mine.parent))
    assert "mine" in technologies()
    assert find_technology("mine") == find_technology(mine)


def test_liberty_in_the_folder_of_technologies(mine, monkeypatch, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.move(mine.parent / "part1.lib", elsewhere)
    with pytest.raises(TechnologyError, match=r"part\*\.lib.*BITWEIGHT_TECH_PATH.*not None$"):
        find_technology(mine)
    monkeypatch.setenv("BITWEIGHT_TECH_PATH", str(elsewhere))
    assert find_technology(mine).liberty == (elsewhere / "part1.lib",)


def test_unknown_name(no_tech_path):
    with pytest.raises(TechnologyError, match=r"asap7, generic, sky130hd.*, not 'tsmc'$"):
        find_technology("tsmc")
    with pytest.raises(TypeError, match=r", not 7$"):
        find_technology(7)


def test_files_not_there(no_tech_path, monkeypatch):
    with pytest.raises(TechnologyError, match=r"sky130_fd.*https://.*BITWEIGHT_TECH_PATH"):
        find_technology("sky130hd")
    monkeypatch.setenv("BITWEIGHT_TECH_PATH", str(no_tech_path / "nowhere"))
    with pytest.raises(TechnologyError, match=r"asap7sc7p5t.*nowhere'$"):
        find_technology("asap7")
    with pytest.raises(TechnologyError, match=r"readable TOML file.*not '.*none\.toml'$"):
        find_technology(no_tech_path / "none.toml")


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('name = "mine"', "name = 3", r"^name in mine\.toml must be a string, not 3$"),
        ('nand2 = "NAND2_X1"\n', "", r"^nand2 in mine\.toml must be given, not None$"),
        ('nand2 = "NAND2_X1"', 'nand2 = "NAND9"', r"cells of its own library, not 'NAND9'$"),
        ("output_load = 4", "output_load = -1", r"number above 0, not -1$"),
        ("output_load = 4", "colour = 4", r"must be of .*, not 'colour'$"),
        ('["TIEHI", "Y"]', '["TIEHI"]', r"^tie_hi in mine.toml must be a list of 2 strings"),
        ('["part*.lib"]', "[]", r"^liberty in mine.toml must be .*, not \[\]$"),
        ("name", "name name", r"^technology file mine\.toml must be TOML"),
    ],
)
def test_wrong_toml(mine, before, after, message):
    mine.write_text(TOML.replace(before, after, 1))
    with pytest.raises(TechnologyError, match=message) as caught:
        _ = find_technology(mine).library
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[: len(text) // 2], r"part1\.lib must be whole .*is it cut off"),
        (lambda text: "Not found", r"must begin with 'library \(', not 'Not found'$"),
        (lambda text: text.replace("time_unit", "thyme_unit"), r"must state time_unit"),
        (lambda text: "", r"must begin with 'library \(', not ''$"),
    ],
)
def test_damaged_liberty(mine, damage, message):
    (mine.parent / "part1.lib").write_text(damage(liberty_text()))
    with pytest.raises(TechnologyError, match=message) as caught:
        _ = find_technology(mine).library
    assert "\n" not in str(caught.value)


def test_damaged_gzip(mine):
    (mine.parent / "part1.lib").unlink()
    mine.write_text(TOML.replace("part*.lib", "a.lib.gz"))
    data = gzip.compress(liberty_text().encode())
    for broken in (data[: len(data) // 2], b"no gzip at all", data[:-9] + b"x" + data[-8:]):
        (mine.parent / "a.lib.gz").write_bytes(broken)
        with pytest.raises(TechnologyError, match=r"a\.lib\.gz must be a whole gzip file, not"):
            _ = find_technology(mine).library
    (mine.parent / "a.lib.gz").write_bytes(data)
    assert find_technology(mine).library.cells == find_technology("generic").library.cells


def test_another_file_than_the_published_one(mine):
    mine.write_text(TOML + '[published.sha256]\n"part1.lib" = "00"\n')
    with pytest.raises(TechnologyError, match=r"part1\.lib of mine must have SHA-256 00, not '"):
        _ = find_technology(mine).library
