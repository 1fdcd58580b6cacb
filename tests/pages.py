"""What the pages give a reader: files to write, commands and Python to run, and quotations of the source."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md")), *sorted(ROOT.glob("results/*.md"))]

# A block with its language and title, or a command in a sentence.
PARTS = re.compile(
    r"""^```(?P<language>\w*)(?:\ title="(?P<title>[^"]+)")?\n(?P<block>.*?)^```$
    | (?<!`)`(?P<sentence>(?:[A-Z_]+=\S+\ )?(?:lightning-vi|python\ -m|bash)\ [^`\n]+)`""",
    re.MULTILINE | re.DOTALL | re.VERBOSE,
)
# CKPT, NAME.yaml, RUN ...: a sentence about a command's form.
PLACEHOLDER = re.compile(r"(?<![\w=/])[A-Z]{2,}(?![\w=])|\.\.\.")

Kind = Literal["command", "session", "file", "quotation", "python", "other"]


class Part(NamedTuple):
    """A part of a page.

    Attributes:
        kind: `session` is a command with what it prints, `other` something that is only read.
        text: The block, or the command.
        title: The file that is written or quoted.
        line: Where it stands in the page.
    """

    kind: Kind
    text: str
    title: str
    line: int


def parts(page: Path) -> Iterator[Part]:
    """The parts of a page in their order."""
    content = page.read_text()
    for match in PARTS.finditer(content):
        line = content.count("\n", 0, match.start()) + 1
        if match["sentence"] is not None:
            words = match["sentence"].split()
            if not PLACEHOLDER.search(match["sentence"]) and (words[0] != "lightning-vi" or len(words) > 2):
                yield Part("command", match["sentence"], "", line)
            continue
        title = match["title"] or ""
        if title:
            kind: Kind = "quotation" if (ROOT / title).is_file() else "file"
        else:
            kinds: dict[str, Kind] = {"": "command", "bash": "command", "console": "session", "python": "python"}
            kind = kinds.get(match["language"], "other")
        yield Part(kind, match["block"], title, line)
