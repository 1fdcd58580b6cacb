"""How the page looks and answers; nothing of it is fetched from elsewhere."""

from typing import Any

import gradio

FONTS = ("ui-sans-serif", "system-ui", "sans-serif")
MONOSPACED = ("ui-monospace", "monospace")

PIXELS = "pixels"
"""Class of the images whose pixels are to be seen as squares."""

VERDICTS = "verdicts"
"""Class of the table of what models say."""

CSS = f"""
.{PIXELS} img {{image-rendering: pixelated; width: 100%; height: 100%; object-fit: contain}}
.{VERDICTS} table {{width: 100%; font-size: 85%}}
.{VERDICTS} th, .{VERDICTS} td {{padding: 4px 6px}}
"""

INSTANT: dict[str, Any] = {"show_progress": "hidden", "trigger_mode": "always_last", "api_visibility": "private"}
"""Of events that follow a hand: the last position counts, and nothing flickers on the way."""


def theme() -> gradio.themes.Base:
    """Gradio's own with the system's fonts."""
    return gradio.themes.Default(font=FONTS, font_mono=MONOSPACED)
