"""Formulas as MathML, which browsers draw by themselves: the site needs no script for them, and no network."""

import html as entities
import re
from typing import Any

from latex2mathml.converter import convert

FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)
# The space of LaTeX between the name of a function and its argument, unless that is in parentheses.
FUNCTION = re.compile(r"(<mi>(?:exp|log|max|min)</mi>)(?!<mo|</)")


def on_page_content(html: str, **_: Any) -> str:
    """Replace what `pymdownx.arithmatex` has marked as formulas."""
    return FORMULA.sub(_mathml, html)


def _mathml(formula: re.Match[str]) -> str:
    drawn = convert(entities.unescape(formula[2]), display="block" if formula[1] == "div" else "inline")
    return FUNCTION.sub(r'\1<mspace width="0.17em"/>', drawn)
