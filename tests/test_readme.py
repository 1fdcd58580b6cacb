"""The README's Python runs as it stands, one block after another, beside a run of its first command."""

import re
from pathlib import Path

import pytest

from lightning_vi.__main__ import main

README = (Path(__file__).parent.parent / "README.md").read_text()


def test_python_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PL_GLOBAL_SEED", "0")  # so that what the command sets is undone afterwards
    monkeypatch.setenv("PL_SEED_WORKERS", "0")
    assert main(["fit", "--config=bbb_digits.yaml", "--trainer.max_epochs=1", "--model.draws=2"]) == 0
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        exec(block, {})


def test_commands_stand_alone_in_the_first_block_of_their_heading() -> None:
    for heading in ("Run", "Test"):
        section = README.split(f"## {heading}\n")[1]
        command = section.split("```")[1].strip()
        assert "\n" not in command
        assert command.startswith("python3 -m venv .venv && ")


def test_names_in_the_table_exist() -> None:
    from lightning_vi import (
        adversarial,
        annealing,
        bounds,
        callbacks,
        corruptions,
        datamodules,
        estimators,
        likelihoods,
        modules,
        networks,
        noise_priors,
        posteriors,
        priors,
        schedules,
        weighting,
    )

    packages = [callbacks, datamodules, estimators, likelihoods, modules, networks, posteriors, priors]
    packages += [adversarial, annealing, bounds, corruptions, noise_priors]
    known = {name for package in [*packages, schedules, weighting] for name in vars(package)}
    table = README.split("| there is | names |")[1].split("\n\n")[0]
    names = set(re.findall(r"`([A-Z]\w+)`", table))
    assert len(names) > 30
    assert names <= known
