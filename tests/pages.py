"""What the pages give a reader: files to write, commands and Python to run, and quotations of the source."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

ROOT = Path(__file__).parent.parent
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md")),
    *sorted(ROOT.glob("docs/**/*.md")),
    *sorted(ROOT.glob("results/*.md")),
]

# A block with its language and, where its first line is a comment that names a file, the name; or a command in a
# sentence.
PARTS = re.compile(
    r"""^```(?P<language>\w*)\n(?:\#\ (?P<file>\S+\.(?:py|yaml))\n)?(?P<block>.*?)^```$
    | (?<!`)`(?P<sentence>(?:[A-Z_]+=\S+\ )?(?:lightning-vi|python\ -m|bash)\ [^`\n]+)`""",
    re.MULTILINE | re.DOTALL | re.VERBOSE,
)
# CKPT, NAME.yaml, RUN ...: a sentence about a command's form.
PLACEHOLDER = re.compile(r"(?<![\w=/])[A-Z]{2,}(?![\w=])|\.\.\.")

Kind = Literal["command", "session", "file", "quotation", "python", "other"]
KINDS: dict[str, Kind] = {"": "command", "bash": "command", "console": "session", "python": "python"}


class Part(NamedTuple):
    """A part of a page.

    Attributes:
        kind: `session` is a command with what it prints, `other` something that is only read.
        text: The block, or the command.
        file: The file that is written or quoted.
        line: Where it stands in the page.
    """

    kind: Kind
    text: str
    file: str
    line: int


def parts(page: Path) -> Iterator[Part]:
    """The parts of a page in their order."""
    content = page.read_text()
    for match in PARTS.finditer(content):
        line = content.count("\n", 0, match.start()) + 1
        sentence, file = match["sentence"], match["file"] or ""
        if sentence is None:
            kind = KINDS.get(match["language"], "other")
            if file:
                kind = "quotation" if (ROOT / file).is_file() else "file"
            yield Part(kind, match["block"], file, line)
        # `lightning-vi table` is a name, with an option it is something to do.
        elif not PLACEHOLDER.search(sentence) and re.match(r"(?!lightning-vi \S+$)", sentence):
            yield Part("command", sentence, "", line)
