"""What `BayesByBackprop` has that other supervised modules have not: tempering, and means of a point estimate."""

import csv
import json
import math
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from lightning_vi.__main__ import main
from lightning_vi.errors import UserError
from lightning_vi.estimators import WeightSampling
from lightning_vi.likelihoods import Gaussian
from lightning_vi.modules import BayesByBackprop, PointEstimate
from lightning_vi.objectives import Epoch
from lightning_vi.posteriors import SoftplusScale
from lightning_vi.priors import Gaussian as GaussianPrior
from tests.bare_trainer import trainer
from tests.elsewhere import elsewhere as elsewhere

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*does not have many workers", "ignore:You defined a `validation_step` but have no `val_dataloader`"
)


class Line:
    """y = w x + noise with the weight's prior N(0, 1), whose tempered posterior is known.

    q ~ p(D | w)^(1/T) p(w) is N(m, v) with 1/v = 1 + sum x^2 / (T t^2) and m = v sum x y / (T t^2).
    """

    noise = 0.5

    def __init__(self) -> None:
        self.x = torch.linspace(-1, 1, 12).unsqueeze(1)
        self.y = 0.7 * self.x + 0.1 * torch.cos(9 * self.x)

    def posterior(self, temperature: float) -> tuple[float, float]:
        scale = temperature * self.noise**2
        variance = 1 / (1 + float(self.x.square().sum()) / scale)
        return variance * float((self.x * self.y).sum()) / scale, math.sqrt(variance)

    def module(self, temperature: float) -> BayesByBackprop:
        return BayesByBackprop(
            nn.Linear(1, 1, bias=False),
            (1,),
            1,
            Gaussian(self.noise),
            GaussianPrior(1.0),
            SoftplusScale(0.3),
            temperature=temperature,
            estimator=WeightSampling(samples=2, antithetic=True),
            optimizer=partial(torch.optim.SGD, lr=0.0),
        )

    def loader(self) -> DataLoader[tuple[Tensor, ...]]:
        return DataLoader(TensorDataset(self.x, self.y), 4)


@pytest.mark.parametrize("temperature", [0.1, 1.0, 3.0])
def test_training_finds_the_tempered_posterior(temperature: float, monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line()
    module = line.module(temperature)
    # The pair of draws at +1 and -1 has the moments of N(0, 1) that a quadratic loss needs: its gradient is exact.
    monkeypatch.setattr(module.model, "epsilon", lambda noise=None: torch.ones(1))
    optimizer = torch.optim.Adam(module.parameters(), lr=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 400)
    for _ in range(400):
        optimizer.zero_grad()
        module.objective((line.x, line.y), 0, Epoch(12, 12, 1)).loss.backward()
        optimizer.step()
        schedule.step()
    mean, deviation = line.posterior(temperature)
    assert float(module.model.mu.detach()) == pytest.approx(mean, rel=1e-3)
    assert float(module.model.sigma.detach()) == pytest.approx(deviation, rel=1e-3)


def test_a_tempered_loss_is_not_logged_as_the_elbo() -> None:
    line = Line()
    logged = {}
    for temperature in (1.0, 0.1):
        torch.manual_seed(3)
        run = trainer()
        run.fit(line.module(temperature), line.loader())
        logged[temperature] = {name: float(value) for name, value in run.callback_metrics.items()}
    plain, tempered = logged[1.0], logged[0.1]
    assert "train/elbo" not in tempered
    assert "train/tempered_not_elbo" not in plain
    for name in ("train/nll", "train/kl"):  # untempered
        assert tempered[name] == pytest.approx(plain[name], rel=1e-5)
    assert tempered["train/loss"] == pytest.approx(plain["train/nll"] + 0.1 * plain["train/kl"], rel=1e-5)
    assert tempered["train/tempered_not_elbo"] == pytest.approx(-tempered["train/loss"])
    assert plain["train/elbo"] == pytest.approx(-plain["train/nll"] - plain["train/kl"])


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.inf, math.nan])
def test_bad_temperature(temperature: float) -> None:
    with pytest.raises(UserError, match=r"BayesByBackprop: temperature \(=.*\) must be > 0 and finite; 1 is the ELBO"):
        Line().module(temperature)


LAST = {"class_path": "ModelCheckpoint", "init_args": {"filename": "last", "save_on_train_epoch_end": True}}
QUIET = f"--trainer.callbacks={json.dumps(['LearningCurves', LAST])}"  # no pictures
SMALL = [
    *("--config=bbb_digits.yaml", "--trainer.max_epochs=1", "--trainer.limit_val_batches=1", QUIET),
    *("--model.net.hidden=[8]", "--model.draws=2", "--model.val_draws=2", "--data.watch_test=false"),
]


def test_every_report_of_a_tempered_run_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", *SMALL, "--model.temperature=0.1"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "NLL + 0.1 KL, not the ELBO" in shown
    assert "train tempered objective per example, not the ELBO" in shown
    assert "ELBO per example" not in shown.replace("not the ELBO", "")
    folder = Path("runs/bbb_digits/version_0")
    results = json.loads((folder / "results.json").read_text())
    assert results["objective"] == "NLL + 0.1 KL, not the ELBO"
    assert "train/tempered_not_elbo" in results["curves"]
    assert "train/elbo" not in results["curves"]
    with (folder / "metrics.csv").open() as file:
        columns = csv.DictReader(file).fieldnames or []
    assert {"train/tempered_not_elbo", "train/nll", "train/kl"} < set(columns)
    assert "train/elbo" not in columns


def test_the_means_start_from_a_point_estimates_checkpoint(capsys: pytest.CaptureFixture[str]) -> None:
    point = ["--config=mlp_mnist.yaml", "--data=Digits", "--model.net.hidden=[16]", "--name=point", QUIET]
    assert main(["fit", *point, "--trainer.max_epochs=15", "--trainer.check_val_every_n_epoch=15"]) == 0
    path = "runs/point/version_0/checkpoints/last.ckpt"
    learned = torch.load(path, weights_only=True)["state_dict"]
    error = json.loads(Path("runs/point/version_0/results.json").read_text())["scores"]["test/error"]

    bayes = [*SMALL, "--model.net.hidden=[16]", "--model.optimizer.lr=0", "--model.posterior.initial_sigma=1e-6"]
    assert main(["fit", *bayes, f"--weights={path}"]) == 0
    folder = Path("runs/bbb_digits/version_0")
    state = torch.load(folder / "checkpoints/last.ckpt", weights_only=True)["state_dict"]
    names = [name for name in learned if name.startswith("model.")]
    assert torch.equal(state["model.mu"], torch.cat([learned[name].flatten() for name in names]))
    results = json.loads((folder / "results.json").read_text())
    assert results["scores"]["test/error_mean"] == pytest.approx(error)
    assert results["objective"] == "negative ELBO"
    assert "negative ELBO" in capsys.readouterr().out
    assert error < 20  # so that random means would not pass

    capsys.readouterr()
    assert main(["fit", *SMALL, f"--weights={path}"]) == 2
    told = f"{path}: The mean of 'linear1.weight', of shape (8, 64), cannot start from these"
    assert told in capsys.readouterr().err
    assert main(["test", *bayes, f"--ckpt_path={path}"]) == 2  # a point estimate has no draws to test
    assert "does not fit the model of this configuration" in capsys.readouterr().err


def test_partial_bayes_takes_deterministic_weights_buffers_and_the_likelihood_as_they_are() -> None:
    def net() -> nn.Module:
        tied = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 4), nn.Linear(4, 2))
        tied[2].weight = tied[0].weight
        return tied

    noise = Gaussian(math.exp(-2.0), learn=True)
    point = PointEstimate(net(), (4,), 2, noise)
    with torch.no_grad():
        point.model(torch.randn(8, 4))  # for the running statistics
    for bayesian, random in ((".*", 16 + 4 + 4 + 4 + 4 + 8 + 2), (r"3\..*", 10), (r"0\..*", 20)):
        module = BayesByBackprop(net(), (4,), 2, Gaussian(0.3, learn=True), bayesian=bayesian)
        rho = module.model.rho.detach().clone()
        module.load_state_dict(module.state_around(point.state_dict()))
        assert module.model.mu.numel() == random
        x = torch.randn(5, 4)
        torch.testing.assert_close(
            module.eval().predictive(x, "mean").outputs, point.eval().predictive(x).outputs.detach()
        )
        assert module.likelihood.log_sigma == noise.log_sigma
        assert torch.equal(module.model.rho, rho)


def test_weights_of_another_network() -> None:
    module = BayesByBackprop(nn.Linear(4, 2), (4,), 2)
    other = PointEstimate(nn.Sequential(nn.Linear(4, 2)), (4,), 2)
    with pytest.raises(UserError, match=r"The mean of 'weight', of shape \(2, 4\), .* have none"):
        module.state_around(other.state_dict())


@pytest.mark.parametrize(("bayesian", "refused"), [(".*", True), ("0.*", False)])
def test_random_normalisation_cannot_be_converted(
    bayesian: str, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    strategy = DDPStrategy()
    strategy._layer_sync = object()  # type: ignore[assignment]  # as Lightning sets it for trainer.sync_batchnorm
    monkeypatch.setattr(strategy, "broadcast", lambda seed: seed)
    monkeypatch.setattr(LightningModule, "trainer", SimpleNamespace(strategy=strategy))
    monkeypatch.setattr(LightningModule, "global_rank", 0)
    module = BayesByBackprop(nn.Sequential(nn.Linear(4, 2), nn.BatchNorm1d(2)), (4,), 2, bayesian=bayesian)
    if refused:
        with pytest.raises(UserError, match=r"trainer.sync_batchnorm .* would replace layers with random weights"):
            module.setup("fit")
    else:
        module.setup("fit")
