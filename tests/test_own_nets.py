"""The page on networks of a user's own runs as it stands: its Python, its files and its commands."""

import re
import shlex
from pathlib import Path

import pytest

from lightning_vi.__main__ import main
from tests.elsewhere import elsewhere as elsewhere

PAGE = (Path(__file__).parent.parent / "docs" / "own_nets.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
FILES = [
    (name, text)
    for kind in ("python", "yaml")
    for name, text in re.findall(rf"```{kind}\n# (\S+)\n(.*?)```", PAGE, re.DOTALL)
]
COMMANDS = re.findall(r"^(?:PYTHONPATH=\. )?lightning-vi (fit --config .*)$", PAGE, re.MULTILINE)
SHORT = [
    *("--trainer.max_epochs=1", "--trainer.limit_train_batches=1", "--trainer.limit_val_batches=1"),
    *("--trainer.callbacks=[LastCheckpoint]", "--test_checkpoint=none", "--data=Digits", "--data.batch_size=20"),
]


def test_python_blocks() -> None:
    blocks = [block for block in PYTHON if not block.startswith("# ")]
    examples = [block for block in blocks if "model = BayesianModule" in block]
    assert len(blocks) >= 12
    assert all(len(example.strip().splitlines()) <= 4 for example in examples)  # with the import
    names: dict[str, object] = {}
    for block in blocks:
        exec(block, names)


def test_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(".")
    assert [name for name, _ in FILES] == ["nets.py", "own.yaml", "groups.yaml"]
    for name, text in FILES:
        Path(name).write_text(text)
    assert len(COMMANDS) == 7
    for command in COMMANDS:
        draws = [] if "config mlp" in command else ["--model.draws=2", "--model.val_draws=2"]
        width = ["--model.net.hidden=[8]"] if "mnist" in command else []
        assert main([*shlex.split(command), *SHORT, *draws, *width]) == 0, command
