"""JSON files that are there as a whole or not at all."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning_vi.whole_file import whole


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a file of one line for each field, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(f" {json.dumps(name)}: {json.dumps(value)}" for name, value in content.items())
    with whole(path) as part:
        part.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")
