"""Docstrings as Markdown: roles and formulas are written in them as Sphinx reads them."""

import re
import textwrap
from typing import Any

import griffe

BLOCK = re.compile(r"^([ ]*)\.\. math::[ ]*(.*(?:\n(?:\1[ ]+\S.*|[ ]*(?=\n\1[ ]+\S)))*)", re.MULTILINE)
INLINE = re.compile(r":math:`([^`]+)`")
ROLE = re.compile(r":(?:attr|class|data|func|meth|mod):(`[^`]+`)")


class Roles(griffe.Extension):
    """Rewrites each docstring before it is parsed."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """See `griffe.Extension.on_object`."""
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value)


def as_markdown(docstring: str) -> str:
    """The text with `$` around formulas and plain backticks around names."""
    text = BLOCK.sub(_formula, docstring)
    return ROLE.sub(r"\1", INLINE.sub(r"$\1$", text))


def _formula(block: re.Match[str]) -> str:
    first, *rest = block[2].split("\n")
    lines = [first.strip(), *textwrap.dedent("\n".join(rest)).split("\n")]
    body = "\n".join(line for line in lines if line.strip())
    return textwrap.indent(f"\n$$\n{body}\n$$\n", block[1])
