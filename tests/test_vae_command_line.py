"""What a user can ask of a variational autoencoder, through the real command line on the bundled digits."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from matplotlib.image import imread
from torch import Tensor, nn

from lightning_vi.__main__ import main
from lightning_vi.datamodules import Digits, FixedBinarisation
from lightning_vi.latent_space import prior_samples
from lightning_vi.loading import load
from lightning_vi.modules import VAE
from tests.elsewhere import elsewhere as elsewhere

FOLDER = Path("runs/vae_digits/version_0")
CHECKPOINT = FOLDER / "checkpoints" / "last.ckpt"
SHORT = [
    "--config=vae_digits.yaml",
    "--trainer.accelerator=cpu",
    "--trainer.max_epochs=8",
    "--trainer.check_val_every_n_epoch=8",
    "--model.draws=50",
    "--model.val_draws=5",
]
LAST = {"class_path": "ModelCheckpoint", "init_args": {"filename": "last", "save_on_train_epoch_end": True}}
QUIET = f"--trainer.callbacks={json.dumps(['LearningCurves', LAST])}"
"""In place of all others: what `results.json` needs, and no picture."""
TANH = {"class_path": "MLP", "init_args": {"hidden": [20], "activation": "Tanh"}}


@pytest.fixture(scope="module")
def frequencies() -> Tensor:
    """Probabilities of the training bits, which are the mean grey values, shape (64,)."""
    training = Digits().splits().training
    return training.tensors[0].mean(dim=0).flatten()


@pytest.fixture(scope="module")
def pixel_by_pixel(frequencies: Tensor) -> float:
    """NLL of the test bits in nats, if each pixel is drawn by itself: a model whose latent variables say nothing."""
    data = Digits(transform=FixedBinarisation())
    data.setup("test")
    test = torch.cat([inputs for inputs, *_ in data.test_dataloader()]).flatten(1)
    assert test.shape == (360, 64)
    expected = frequencies.clamp(1e-3, 1 - 1e-3).expand_as(test)
    nll = nn.functional.binary_cross_entropy(expected, test, reduction="sum") / len(test)
    return float(nll)


def fit(*options: str) -> dict[str, Any]:
    """The run's results."""
    assert main(["fit", *SHORT, *options]) == 0
    results: dict[str, Any] = json.loads((FOLDER / "results.json").read_text())
    return results


def shown(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    """The NLL of the last checkpoint as it is shown."""
    capsys.readouterr()
    assert main(["test", *SHORT, QUIET, "--ckpt_path=last", *options]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "test NLL per example  " in line)
    return line.removesuffix(" nats").split()[-1]


@pytest.mark.parametrize("objective", ["IWAE", "DReG"])
def test_an_importance_weighted_bound_lies_between_the_elbo_and_the_likelihood(
    objective: str, pixel_by_pixel: float
) -> None:
    results = fit(QUIET, f"--model.objective={objective}", "--model.objective.samples=20")
    scores, curves = results["scores"], results["curves"]
    bound, elbo = -curves["train/loss"]["8"], curves["train/elbo"]["8"]
    assert elbo + 1.0 < bound < -scores["test/nll"] + 0.2  # which is that of another split
    assert scores["test/nll"] < pixel_by_pixel - 0.5
    saved = torch.load(CHECKPOINT, weights_only=True)["hyper_parameters"]
    assert saved["objective"] == {"class_path": f"lightning_vi.bounds.{objective}", "init_args": {"samples": 20}}


def test_fixed_bits_are_judged_by_those_that_stochastic_ones_are_judged_by(
    pixel_by_pixel: float, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = fit(QUIET, "--data.transform=FixedBinarisation")["scores"]
    assert scores["test/nll"] < pixel_by_pixel - 0.5
    fixed, stochastic = (
        shown(capsys, f"--data.transform={name}") for name in ("FixedBinarisation", "StochasticBinarisation")
    )
    assert fixed == stochastic == f"{scores['test/nll']:.4f}"


def test_convolutions_up_and_down(pixel_by_pixel: float) -> None:
    results = fit(
        "--model.encoder=ConvolutionalEncoder",
        "--model.encoder.channels=[4, 8]",
        "--model.decoder=ConvolutionalDecoder",
        "--model.decoder.channels=[8, 4]",
        "--model.decoder.image_size=[8, 8]",
        "--model.optimizer.lr=0.01",
    )
    encoder = (4 * 16 + 4) + (4 * 8 * 16 + 8) + (8 * 2 * 2 + 1) * 16
    decoder = (8 + 1) * 8 * 2 * 2 + (8 * 4 * 16 + 4) + (4 * 16 + 1)
    assert results["parameters"] == encoder + decoder
    assert results["scores"]["test/nll"] < pixel_by_pixel - 0.5
    for name in ("reconstructions", "prior_samples", "latent_traversals"):
        assert imread(FOLDER / "figures" / f"{name}.png").std() > 0.05


def test_free_bits_and_cyclical_annealing(pixel_by_pixel: float) -> None:
    """With more free bits than any latent variable takes, the weight of the KL term is all that the loss has of it."""
    free, latents = 20.0, 8
    results = fit(
        QUIET,
        "--model.objective=ELBO",
        f"--model.objective.free_bits={free}",
        "--model.objective.beta=Cyclical",
        "--model.objective.beta.epochs=2",
    )
    curves = results["curves"]
    # Ten steps of 128 examples, the last of 105; beta rises in the first epoch of a period and is 1 in the second.
    rise = sum(step / 10 * (128 if step < 9 else 105) for step in range(10)) / 1257
    for epoch in range(1, 9):
        loss, reconstruction, kl, elbo = (
            curves[f"train/{name}"][str(epoch)] for name in ("loss", "reconstruction", "kl", "elbo")
        )
        beta = 1.0 if epoch % 2 == 0 else rise
        assert loss - reconstruction == pytest.approx(beta * free * latents, rel=1e-4)
        assert elbo == pytest.approx(-reconstruction - kl, rel=1e-5)
        assert kl < 0.9 * free * latents
    assert results["scores"]["test/reconstruction"] < pixel_by_pixel - 5.0  # what is free is taken


def test_burdas_schedule(pixel_by_pixel: float) -> None:
    scores = fit(QUIET, "--model.lr_scheduler=BurdaLR", "--trainer.callbacks+=LearningRateMonitor")["scores"]
    with (FOLDER / "metrics.csv").open() as file:
        rates = [float(row["lr-Adam"]) for row in csv.DictReader(file) if row["lr-Adam"]]
    assert rates == pytest.approx([3e-3 * 10 ** (-stage / 7) for stage in (0, 1, 1, 1, 2, 2, 2, 2)], rel=1e-6)
    assert scores["test/nll"] < pixel_by_pixel - 0.5


def test_two_layers_are_trained_and_sampled(
    frequencies: Tensor, pixel_by_pixel: float, capsys: pytest.CaptureFixture[str]
) -> None:
    upper = json.dumps([{"size": 2, "encoder": TANH, "decoder": TANH}])
    scores = fit(QUIET, f"--model.upper={upper}")["scores"]
    assert scores["test/nll"] < pixel_by_pixel - 0.5
    assert scores["test/active_units"] > 0
    assert "test/active_units_2" in scores
    capsys.readouterr()
    assert main(["sample", str(CHECKPOINT)]) == 0
    files = [Path(line) for line in capsys.readouterr().out.splitlines()]
    # The manifold is that of the two upper latent variables.
    assert [file.stem for file in files] == ["prior", "manifold", "traversals", "interpolations"]
    for file in files:
        assert file.parent == FOLDER / "samples"
        assert imread(file).std() > 0.05
    module = load(CHECKPOINT, VAE)
    assert module.model.sizes == (8, 2)
    mean = prior_samples(module.model, 2000, seed=0).mean(dim=0).flatten()
    assert (mean - frequencies).abs().max() < 0.1
    assert (mean - frequencies).abs().mean() < 0.05
