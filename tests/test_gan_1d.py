"""The configuration gan_1d.yaml, whole, against the distributions that it should learn."""

import json
from pathlib import Path

import pytest

from lightning_vi.__main__ import main

GAUSSIAN = ["--data.means=[1]", "--data.sigmas=[0.7]", "--data.shares=[1]"]


@pytest.mark.parametrize(
    "options",
    [[], ["--model.noise=Gaussian", "--model.noise.size=1"], GAUSSIAN],
    ids=["uniform noise, a mixture", "Gaussian noise, a mixture", "uniform noise, a Gaussian"],
)
def test_the_generator_learns_the_distribution(
    options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["fit", "--config=gan_1d.yaml", "--trainer.accelerator=cpu", "--seed_everything=3", *options]) == 0
    scores = json.loads(Path("runs/gan_1d/version_0/results.json").read_text())["scores"]
    assert scores["test/ks"] <= 0.05
