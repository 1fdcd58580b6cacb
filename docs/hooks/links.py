"""The site's pages: those of `docs/`, and beside them the results, the changelog and how to contribute.

Links in the repository's files are relative to the file, so that they work wherever the repository is read. In the site
`docs/` is the root and `results/` stands below it, so links between the two are rewritten.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
BESIDE = ("CHANGELOG.md", "CONTRIBUTING.md", "results/*.md", "results/*.csv", "results/*.png")
LINK = re.compile(r"(?<=\]\()(?!\w+:)[^)\s#]+")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what lies beside `docs/`."""
    for pattern in BESIDE:
        for path in sorted(ROOT.glob(pattern)):
            name = path.relative_to(ROOT).as_posix()
            files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Rewrite the links of a page."""
    return relocated(markdown, page.file.src_uri)


def relocated(markdown: str, page: str) -> str:
    """A page's text with its relative links as they are in the site.

    Args:
        markdown: The text.
        page: Where the page is in the site.
    """
    beside = page.startswith("results/") or page in BESIDE
    folder = posixpath.dirname(page if beside else f"docs/{page}")

    def moved(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, link[0])).removeprefix("docs/")
        if target == "README.md":  # the repository's first page; the site's is another one
            target = "index.md"
        return posixpath.relpath(target, posixpath.dirname(page) or ".")

    return LINK.sub(moved, markdown)
