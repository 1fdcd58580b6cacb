"""The documentation as a site: built strictly, complete, and readable without a network."""

import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from docs.hooks.docstrings import as_markdown
from docs.hooks.links import relocated
from tests.pages import ROOT


class Page(HTMLParser):
    """What a page links to or loads, and the places in it that can be linked to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.references: list[str] = []
        self.places: set[str] = set()
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.references.append(value)
            elif name in ("id", "name") and value:
                self.places.add(value)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path) for path in site.rglob("*.html") if path.name != "404.html"}


def references(pages: dict[Path, Page]) -> Iterator[tuple[Path, str]]:
    return ((path, reference) for path, page in pages.items() for reference in page.references)


def test_no_page_needs_another_host(pages: dict[Path, Page], site: Path) -> None:
    assert len(pages) > 30
    for path, reference in references(pages):
        url = urlsplit(reference)
        assert (url.scheme in ("", "data") and not url.netloc) or url.scheme == "mailto", f"{path.name}: {reference}"
    for style in site.rglob("*.css"):
        content = style.read_text()
        assert "url(http" not in content, style
        assert "url(//" not in content, style
        assert "@import" not in content, style


def test_links_lead_somewhere(pages: dict[Path, Page]) -> None:
    for path, reference in references(pages):
        url = urlsplit(reference)
        if url.scheme:
            continue
        target = path if not url.path else (path.parent / unquote(url.path)).resolve()
        assert target.is_file(), f"{path.name}: {reference}"
        if url.fragment and target.suffix == ".html":
            assert unquote(url.fragment) in pages[target].places | {"__search"}, f"{path.name}: {reference}"


def test_formulas_are_drawn_without_a_script(site: Path) -> None:
    lecture = (site / "lecture.html").read_text()
    assert lecture.count("<math") > 40
    assert lecture.count('display="block"') == (ROOT / "docs" / "lecture.md").read_text().count("\n$$\n") / 2
    for path in site.rglob("*.html"):
        content = path.read_text()
        for left in ("arithmatex", ":math:", ".. math::", "\\frac", "\\mathrm", ":class:`", ":meth:`"):
            assert left not in content, f"{path.name}: {left}"


def test_the_reference_has_the_public_classes(site: Path) -> None:
    from lightning_vi import (
        adversarial,
        bounds,
        callbacks,
        datamodules,
        estimators,
        likelihoods,
        modules,
        networks,
        posteriors,
        priors,
        schedules,
    )

    reference = "".join(path.read_text() for path in (site / "reference").glob("*.html"))
    packages = [adversarial, bounds, callbacks, datamodules, estimators, likelihoods, modules, networks, posteriors]
    for package in [*packages, priors, schedules]:
        for name, value in vars(package).items():
            if isinstance(value, type) and value.__module__.startswith(package.__name__) and not name.startswith("_"):
                assert f'id="{value.__module__}.{name}"' in reference, f"{value.__module__}.{name}"


def test_as_markdown() -> None:
    docstring = r"""The sum :math:`\sum_i x_i`, see :class:`Sum`.

Theory:

.. math:: a = b, \qquad
          c = d.

With e the rest,

.. math::
    e = f.

Args:
    x: As of :meth:`Sum.of`; ``code`` stays.
"""
    assert as_markdown(docstring) == (
        "The sum $\\sum_i x_i$, see `Sum`.\n\nTheory:\n\n\n$$\na = b, \\qquad\nc = d.\n$$\n\n\nWith e the rest,\n\n"
        "\n$$\ne = f.\n$$\n\n\nArgs:\n    x: As of `Sum.of`; ``code`` stays.\n"
    )


@pytest.mark.parametrize(
    ("page", "link", "expected"),
    [
        ("vae.md", "../results/vae.md", "results/vae.md"),
        ("vae.md", "gan.md#open", "gan.md#open"),
        ("tutorials/vae.md", "../images/a.png", "../images/a.png"),
        ("tutorials/vae.md", "../../results/vae.md#x", "../results/vae.md#x"),
        ("results/vae.md", "../docs/images/a.png", "../images/a.png"),
        ("results/vae.md", "vae.csv", "vae.csv"),
        ("CONTRIBUTING.md", "CHANGELOG.md", "CHANGELOG.md"),
        ("CONTRIBUTING.md", "docs/vae.md", "vae.md"),
        ("tutorials/vae.md", "../../README.md", "../index.md"),
        ("vae.md", "https://example.org/a/../b", "https://example.org/a/../b"),
        ("vae.md", "#here", "#here"),
    ],
)
def test_links_of_the_repository_in_the_site(page: str, link: str, expected: str) -> None:
    assert relocated(f"see [it]({link}).", page) == f"see [it]({expected})."
