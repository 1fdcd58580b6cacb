"""`--print_config` prints a configuration: read again it prints the same, and trains to the same bits."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from jsonargparse import ArgumentParser

from lightning_vi import named_configs
from lightning_vi.__main__ import main
from lightning_vi.cli import Description
from lightning_vi.loading import load
from lightning_vi.modules import BayesByBackprop
from tests.elsewhere import elsewhere as elsewhere
from tests.printing import printed

OVERLAYS = ("wandb.yaml", "tensorboard.yaml")
TABLES = {name for name in named_configs.packaged() if name.startswith("table1") and "/" not in name}
CONFIGS = sorted({*named_configs.packaged()} - {*OVERLAYS, *TABLES, named_configs.DEFAULTS})
# Of the rows of a table one of each kind: they differ in sizes.
CASES = [[name] for name in CONFIGS if "/" not in name or name.endswith("_400.yaml")]
CASES += [["bbb_digits.yaml", overlay] for overlay in OVERLAYS]


@pytest.fixture(scope="module")
def parser() -> ArgumentParser:
    """That of `fit`: made once, since making those of all commands takes longer than parsing."""
    found: list[ArgumentParser] = []

    def keep(parsers: Mapping[str, ArgumentParser]) -> str:
        found.append(parsers["fit"])
        return ""

    with pytest.raises(SystemExit):
        Description(keep)
    return found[0]


def dumped(parser: ArgumentParser, *configs: str) -> str:
    """What `--print_config` prints."""
    given = ["--data.path=a.csv", "--data.target=y"] if "csv" in configs[0] else []
    text: str = parser.dump(parser.parse_args([*(f"--config={name}" for name in configs), *given]), skip_unset=False)
    return text


@pytest.mark.parametrize("configs", CASES, ids=" ".join)
def test_it_prints_the_same_when_it_is_read_again(configs: list[str], parser: ArgumentParser) -> None:
    first = dumped(parser, *configs)
    assert "class_path" in first
    Path("printed.yaml").write_text(first)
    assert dumped(parser, "printed.yaml") == first


def test_it_trains_to_the_same_bits() -> None:
    short = ["--trainer.accelerator=cpu", "--trainer.max_epochs=2", "--test_checkpoint=none"]
    Path("printed.yaml").write_text(printed("fit", "--config=bbb_digits.yaml", "--print_config"))
    states: list[dict[str, Any]] = []
    for version, config in enumerate(("bbb_digits.yaml", "printed.yaml")):
        assert main(["fit", f"--config={config}", *short]) == 0
        path = Path(f"runs/bbb_digits/version_{version}/checkpoints/last.ckpt")
        states.append(load(path, BayesByBackprop).state_dict())
    first, second = states
    for name, value in first.items():
        assert torch.equal(second[name], value) if isinstance(value, torch.Tensor) else second[name] == value
