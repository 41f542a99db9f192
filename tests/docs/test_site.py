"""The site: it builds without a warning, and what is generated is on its pages."""

from __future__ import annotations

import html
import importlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bitweight import catalog
from bitweight.notation import TRANSFORMATIONS

DOCS = Path(__file__).parents[2] / "docs"


def build(source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    """Build a copy of the site with warnings as errors."""
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html"]
    return subprocess.run(
        [*command, str(source), str(target)], capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    ignore = shutil.ignore_patterns("generated", "__pycache__")
    shutil.copytree(DOCS, folder / "docs", ignore=ignore)
    done = build(folder / "docs", folder / "html")
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return folder / "html"


def text(site: Path, page: str) -> str:
    """Return what a reader sees of a page."""
    content = (site / f"{page}.html").read_text(encoding="utf-8")
    return html.unescape(re.sub(r"<[^>]+>", "", content))


def test_every_transformation_is_explained(site):
    page = text(site, "notation")
    for mac in TRANSFORMATIONS.values():
        shown = [d for d in catalog.values() if d.mac == mac and str(d.nest) in page]
        assert shown, mac.name
        assert mac.name == "mac" or mac.summary[1:] in page
    assert page.count("regroup('kp')") == 3  # opt2, and twice in opt2-temporal's passes


def test_moves_lead_to_what_they_do(site):
    page = (site / "notation.html").read_text(encoding="utf-8")
    (link,) = set(re.findall(r'href="([^"]*moves\.html#[^"]*\.hoist)"', page))
    target, anchor = link.split("#")
    assert f'id="{anchor}"' in (site / target).read_text(encoding="utf-8")


def test_ports_are_drawn(site):
    page = (site / "ports.html").read_text(encoding="utf-8")
    assert page.count('class="WaveDrom"') == 3
    assert "c.payload.data" in page


def test_every_public_name_is_in_the_reference(site):
    pages = {
        "bitweight": "public",
        "bitweight.emit": "generated/bitweight.emit",
        "bitweight.synth": "generated/bitweight.synth",
        "bitweight_verif": "generated/bitweight_verif",
    }
    for package, page in pages.items():
        content = (site / "reference" / f"{page}.html").read_text(encoding="utf-8")
        module = importlib.import_module(package)
        for name in module.__all__:
            # Tables of other packages are told by the functions that take their keys.
            if name != "emit" and (package == "bitweight" or callable(getattr(module, name))):
                assert f'id="{package}.{name}"' in content, (package, name)


def test_a_link_to_nowhere_fails(tmp_path):
    (tmp_path / "conf.py").write_text("extensions = ['myst_parser']\n")
    (tmp_path / "index.md").write_text("# A page\n\n{doc}`nowhere`\n")
    done = build(tmp_path, tmp_path / "html")
    assert done.returncode == 1 and "nowhere" in done.stderr
