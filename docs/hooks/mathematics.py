"""Formulas as MathML, which browsers draw by themselves: the site needs no script for them, and no network."""

import html as entities
import re
from typing import Any

from latex2mathml.converter import convert

FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)


def on_page_content(html: str, **_: Any) -> str:
    """Replace what `pymdownx.arithmatex` has marked as formulas."""
    return FORMULA.sub(_mathml, html)


def _mathml(formula: re.Match[str]) -> str:
    return convert(entities.unescape(formula[2]), display="block" if formula[1] == "div" else "inline")
