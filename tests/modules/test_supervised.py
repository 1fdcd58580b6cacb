import csv
import math
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule, seed_everything
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from lightning_vi.errors import UserError
from lightning_vi.estimators import WeightSampling
from lightning_vi.likelihoods import Bernoulli, Categorical, Gaussian, Likelihood
from lightning_vi.modules import BayesByBackprop, DeepEnsemble, PointEstimate
from lightning_vi.networks import MLP, DropConnect
from lightning_vi.posteriors import SoftplusScale
from lightning_vi.predictive import Predictive
from lightning_vi.schedules import CosineLR
from lightning_vi.weighting import Geometric, Uniform, Weighting
from tests.bare_trainer import trainer

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*does not have many workers", "ignore:You defined a `validation_step` but have no `val_dataloader`"
)
SGD = partial(torch.optim.SGD, lr=0.0)


def data(size: int = 23) -> TensorDataset:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(size, 4, generator=generator)
    return TensorDataset(x, (x.sum(1) > 0).long())


def bayes(**options: Any) -> BayesByBackprop:
    seed_everything(1, verbose=False)
    return BayesByBackprop(partial(MLP, hidden=[8]), (4,), 2, **{"optimizer": SGD, "draws": 3, **options})


@pytest.mark.parametrize("weighting", [Uniform(), Geometric()], ids=repr)
@pytest.mark.parametrize("batch_size", [5, 23])
def test_train_elbo_is_that_of_the_training_set(weighting: Weighting, batch_size: int) -> None:
    """With a learning rate of 0 and hardly any noise the epoch's ELBO is known; the last minibatch is ragged."""
    module = bayes(weighting=weighting, posterior=SoftplusScale(1e-6))
    run = trainer()
    run.fit(module, DataLoader(data(), batch_size))
    x, y = data().tensors
    nll = nn.functional.cross_entropy(module.model(x, module.model.mean()), y)
    kl = module.model.draw().kl / 23
    metrics = run.callback_metrics
    torch.testing.assert_close(metrics["train/nll"], nll.detach(), rtol=1e-4, atol=0)
    torch.testing.assert_close(metrics["train/kl"], kl.detach(), rtol=1e-5, atol=0)
    torch.testing.assert_close(metrics["train/elbo"], -metrics["train/loss"])
    torch.testing.assert_close(metrics["train/loss"], metrics["train/nll"] + metrics["train/kl"])


@pytest.mark.parametrize("drop_last", [True, False], ids=["drop_last", "limit"])
def test_an_epoch_cut_short_keeps_the_balance_of_nll_and_kl(drop_last: bool) -> None:
    module = bayes(posterior=SoftplusScale(1e-6))
    run = trainer(limit_train_batches=4)
    run.fit(module, DataLoader(data(), 5, drop_last=drop_last))
    x, y = (tensor[:20] for tensor in data().tensors)
    nll = nn.functional.cross_entropy(module.model(x, module.model.mean()), y)
    torch.testing.assert_close(run.callback_metrics["train/nll"], nll.detach(), rtol=1e-4, atol=0)
    torch.testing.assert_close(
        run.callback_metrics["train/kl"], module.model.draw().kl.detach() / 23, rtol=1e-5, atol=0
    )


def test_validation_and_test_score_the_same_quantities() -> None:
    module = bayes(val_draws=3)
    loader = DataLoader(data(), 7)
    (val,) = trainer().validate(module, loader, verbose=False)
    (test,) = trainer().test(module, loader, verbose=False)
    assert {key.removeprefix("val/"): value for key, value in val.items()} == {
        key.removeprefix("test/"): value for key, value in test.items()
    }
    names = {"error", "error_mean", "nll", "ece", "ece_adaptive", "brier", "aurc"}
    assert set(test) == {f"test/{name}" for name in names}
    x, y = data().tensors
    error = (module.predictive(x).probabilities.argmax(1) != y).float().mean()
    assert test["test/error"] == pytest.approx(100 * float(error))


def test_the_test_split_can_be_watched_over_the_epochs() -> None:
    module = bayes(val_draws=3, optimizer=partial(torch.optim.Adam, lr=0.01))
    run = trainer(max_epochs=2)
    val, test = DataLoader(data(10), 7), DataLoader(data(), 7)
    run.fit(module, DataLoader(data(), 5), [val, test])
    watched = {name: value for name, value in run.callback_metrics.items() if name.startswith(("val/", "test/"))}
    assert run.validate(module, val, verbose=False)[0] == pytest.approx(
        {name: float(value) for name, value in watched.items() if name.startswith("val/")}
    )
    assert run.test(module, test, verbose=False)[0] == pytest.approx(
        {name: float(value) for name, value in watched.items() if name.startswith("test/")}
    )


def test_error_does_not_depend_on_the_batches() -> None:
    module = bayes(posterior=SoftplusScale(0.5), draws=5)
    results = [trainer().test(module, DataLoader(data(), size), verbose=False)[0] for size in (1, 10, 23)]
    for result in results[1:]:
        assert result == pytest.approx(results[0], rel=1e-5, abs=1e-6)


def test_draws_at_test_reduce_the_nll() -> None:
    module = bayes(posterior=SoftplusScale(0.7))
    x, y = data(500).tensors
    single, many = (module.predictive(x, draws).nll(y).mean() for draws in (1, 50))
    assert many < single


def test_a_regressor() -> None:
    seed_everything(1, verbose=False)
    x = torch.linspace(-1, 1, 30).unsqueeze(1)
    module = BayesByBackprop(
        partial(MLP, hidden=[8]), (1,), 1, Gaussian(0.1, learn=True), optimizer=partial(torch.optim.Adam, lr=0.01)
    )
    run = trainer(max_epochs=2)
    loader = DataLoader(TensorDataset(x, x.square()), 10)
    run.fit(module, loader, loader)
    (test,) = run.test(module, loader, verbose=False)
    names = {"rmse", "rmse_mean", "nll", "crps", "coverage_50", "coverage_90", "coverage_95"}
    assert set(test) == {f"test/{name}" for name in names}
    assert module.likelihood.log_sigma != math.log(0.1)  # the noise is trained with the rest


def test_a_point_estimate_minimises_the_mean_nll() -> None:
    seed_everything(1, verbose=False)
    module = PointEstimate(partial(MLP, hidden=[]), (4,), 2, optimizer=SGD)
    run = trainer()
    run.fit(module, DataLoader(data(), 5))
    x, y = data().tensors
    nll = nn.functional.cross_entropy(module.model(x), y).detach()
    torch.testing.assert_close(run.callback_metrics["train/loss"], nll)
    assert "train/elbo" not in run.callback_metrics
    assert module.predictive(x).outputs.shape == (1, 23, 2)


def test_dropout_is_off_for_prediction_and_on_in_training() -> None:
    module = PointEstimate(partial(MLP, hidden=[64], dropout=0.5), (4,), 2, optimizer=SGD)
    x = torch.randn(5, 4)
    assert not torch.equal(module.model(x), module.model(x))
    module.eval()
    assert torch.equal(module.predictive(x).probabilities, module.predictive(x).probabilities)


def test_prediction_takes_batches_with_and_without_targets() -> None:
    module = bayes()
    with_targets = trainer().predict(module, DataLoader(data(), 23))
    without = trainer().predict(module, DataLoader(data().tensors[0], 23))  # type: ignore[arg-type]
    assert with_targets is not None
    assert without is not None
    assert isinstance(with_targets[0], Predictive)
    assert torch.equal(with_targets[0].probabilities, without[0].probabilities)  # type: ignore[union-attr]


def test_the_same_seed_gives_the_same_run_and_another_another() -> None:
    def weights(seed: int) -> Tensor:
        module = bayes(optimizer=partial(torch.optim.Adam, lr=0.01))
        module.model.noise.seed = seed
        trainer().fit(module, DataLoader(data(), 5))
        return module.model.mu.detach()

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


def test_devices_have_noise_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LightningModule, "global_rank", 3)
    strategy = SimpleNamespace(broadcast=lambda seed: 11)  # what rank 0 has drawn
    monkeypatch.setattr(LightningModule, "trainer", SimpleNamespace(strategy=strategy))
    module = bayes()
    module.setup("fit")
    assert (module.model.noise.seed, module.model.noise.stream) == (11, 3)


def test_own_network_as_it_is() -> None:
    net = nn.Linear(4, 2)
    module = BayesByBackprop(lambda input_shape, output_size: net, (4,), 2)
    assert torch.equal(module.model.mean()["weight"], net.weight)
    assert torch.equal(BayesByBackprop(net, (4,), 2).model.mean()["weight"], net.weight)


@pytest.mark.parametrize("kind", [BayesByBackprop, PointEstimate])
def test_a_checkpoint_loads_as_data(kind: type[BayesByBackprop] | type[PointEstimate], tmp_path: Path) -> None:
    net = nn.Linear(4, 2)
    module = kind(net, (4,), 2)
    run = trainer()
    run.fit(module, DataLoader(data(), 5))
    run.save_checkpoint(tmp_path / "a.ckpt")
    loaded = kind.load_from_checkpoint(tmp_path / "a.ckpt", weights_only=True, net=net)
    x = data().tensors[0]
    assert torch.equal(loaded.eval().predictive(x).probabilities, module.eval().predictive(x).probabilities)


def test_compiling_is_decided_by_the_length_of_training(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr("lightning_vi.bayesian.BayesianModule.compile_draws", lambda self: calls.append(1))
    trainer().fit(bayes(), DataLoader(data(), 5))
    assert calls == []
    trainer().fit(bayes(compile=True), DataLoader(data(), 5))
    assert calls == [1]
    monkeypatch.setattr("lightning_vi.modules.compilation._COMPILE_FROM_WEIGHT_STEPS", 100)
    trainer().fit(bayes(), DataLoader(data(), 5))
    assert calls == [1, 1]
    trainer().fit(bayes(compile=False), DataLoader(data(), 5))
    assert calls == [1, 1]


class Endless(IterableDataset[Tensor]):
    def __iter__(self) -> Any:
        return iter(zip(*data().tensors, strict=True))


def test_a_training_set_without_a_size_is_refused() -> None:
    with pytest.raises(UserError, match="must have a sized dataset and a batch_size"):
        trainer(max_steps=2, max_epochs=-1).fit(bayes(), DataLoader(Endless(), 5))


@pytest.mark.parametrize("name", ["draws", "val_draws"])
def test_bad_number_of_draws(name: str) -> None:
    with pytest.raises(UserError, match=rf"BayesByBackprop: {name} \(=0\) must be at least 1"):
        bayes(**{name: 0})


def test_several_samples_per_step() -> None:
    module = bayes(estimator=WeightSampling(samples=4, antithetic=True))
    trainer().fit(module, DataLoader(data(), 5))
    assert module.model.noise.position == 2 * 5


@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`, callbacks")
def test_a_run_resumed_inside_an_epoch_ends_like_the_whole_run(tmp_path: Path) -> None:
    from lightning.pytorch.callbacks import ModelCheckpoint

    from lightning_vi.datamodules import Digits

    def fit(max_epochs: int, path: Path | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        module = bayes_on_digits()
        saver = ModelCheckpoint(tmp_path, "{step}", every_n_train_steps=1, save_top_k=-1, enable_version_counter=False)
        run = trainer(
            max_epochs=max_epochs, callbacks=[saver] if path is None else [], enable_checkpointing=path is None
        )
        run.fit(module, Digits(seed=3), ckpt_path=path, weights_only=True)
        return module.model.mu.detach(), dict(run.callback_metrics)

    weights, metrics = fit(3)
    for step in (7, 14, 20, 28):  # inside the first, second and third epoch of ten steps, and behind a last one
        resumed_weights, resumed_metrics = fit(3, tmp_path / f"step={step}.ckpt")
        assert torch.equal(resumed_weights, weights)
        assert resumed_metrics == metrics


@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`, callbacks")
@pytest.mark.parametrize("draws_at_setup", [0, 3])
def test_a_run_with_random_masks_is_resumed_to_the_bit(draws_at_setup: int, tmp_path: Path) -> None:
    from lightning.pytorch.callbacks import LambdaCallback, ModelCheckpoint

    from lightning_vi.datamodules import Digits

    def fit(path: Path | None = None) -> dict[str, Tensor]:
        seed_everything(1 if path is None else 2, verbose=False)  # the masks do not come from the seed by chance
        net = partial(MLP, hidden=[8], input_dropout=0.1, dropout=0.5, linear=DropConnect)
        optimizer = partial(torch.optim.Adam, lr=0.01)
        module = PointEstimate(net, (1, 8, 8), 10, optimizer=optimizer, lr_scheduler=CosineLR)
        saver = ModelCheckpoint(tmp_path, "{step}", every_n_train_steps=5, save_top_k=-1, enable_version_counter=False)
        disturbed = LambdaCallback(on_train_start=lambda trainer, module: torch.rand(draws_at_setup))
        run = trainer(
            max_epochs=3, callbacks=[disturbed, *([saver] if path is None else [])], enable_checkpointing=path is None
        )
        run.fit(module, Digits(seed=3), ckpt_path=path, weights_only=True)
        return module.state_dict()

    whole = fit()
    for step in (5, 10, 15, 20):  # inside an epoch of ten steps, and at its end
        torch.testing.assert_close(fit(tmp_path / f"step={step}.ckpt"), whole, rtol=0, atol=0)


@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`, callbacks")
def test_only_a_resumed_run_takes_the_checkpoints_random_state(tmp_path: Path) -> None:
    loader, path = DataLoader(data(), 5), tmp_path / "a.ckpt"
    run = trainer()
    run.fit(bayes(), loader)  # seeded with 1
    run.save_checkpoint(path)
    net = partial(MLP, hidden=[8])
    loaded = BayesByBackprop.load_from_checkpoint(path, weights_only=True, net=net, optimizer=SGD)
    torch.manual_seed(7)
    trainer().fit(loaded, loader)
    trainer().test(loaded, loader, ckpt_path=path, weights_only=True, verbose=False)
    trainer().fit(loaded, loader)
    assert torch.initial_seed() == 7
    trainer(max_epochs=2).fit(loaded, loader, ckpt_path=path, weights_only=True)
    assert torch.initial_seed() == 1


@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`, callbacks")
def test_a_run_goes_on_from_a_checkpoint_of_another_origin(tmp_path: Path) -> None:
    loader, path = DataLoader(data(), 5), tmp_path / "a.ckpt"
    run = trainer()
    run.fit(bayes(), loader)
    run.save_checkpoint(path)
    checkpoint = torch.load(path, weights_only=True)
    del checkpoint["epoch_sums"], checkpoint["random_states"]
    torch.save(checkpoint, path)
    resumed = trainer(max_epochs=2)
    resumed.fit(bayes(), loader, ckpt_path=path, weights_only=True)
    assert "train/elbo" in resumed.callback_metrics


def test_a_cosine_spans_the_run() -> None:
    rates = []

    class Recorded(BayesByBackprop):
        def on_train_epoch_start(self) -> None:
            super().on_train_epoch_start()
            rates.append(self.trainer.optimizers[0].param_groups[0]["lr"])

    module = Recorded(nn.Linear(4, 2), (4,), 2, optimizer=partial(torch.optim.SGD, lr=0.1), lr_scheduler=CosineLR)
    trainer(max_epochs=4).fit(module, DataLoader(data(), 5))
    assert rates == pytest.approx([0.05 * (1 + math.cos(math.pi * t / 4)) for t in range(4)], rel=1e-12)
    with pytest.raises(UserError, match=r"CosineLR: epochs \(=-1\) .* give --trainer.max_epochs too"):
        trainer(max_steps=4, max_epochs=-1).fit(module, DataLoader(data(), 5))


def bayes_on_digits() -> BayesByBackprop:
    seed_everything(1, verbose=False)
    optimizer = partial(torch.optim.Adam, lr=0.01)
    return BayesByBackprop(partial(MLP, hidden=[8]), (1, 8, 8), 10, draws=2, val_draws=2, optimizer=optimizer)


def test_an_epoch_cut_short_has_no_elbo() -> None:
    run = trainer(max_steps=3, max_epochs=-1)
    run.fit(bayes(), DataLoader(data(), 5))
    assert "train/elbo" not in run.callback_metrics


def test_the_loss_of_a_step_is_written_at_that_step(tmp_path: Path) -> None:
    from lightning.pytorch.loggers import CSVLogger

    losses = []

    class Recorded(BayesByBackprop):
        def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
            losses.append(loss := super().training_step(batch, batch_idx))
            return loss

    seed_everything(1, verbose=False)
    module = Recorded(partial(MLP, hidden=[8]), (4,), 2, optimizer=partial(torch.optim.SGD, lr=0.1))
    trainer(max_epochs=2, logger=CSVLogger(tmp_path), log_every_n_steps=4).fit(module, DataLoader(data(), 5))
    (file,) = tmp_path.rglob("metrics.csv")
    with file.open() as lines:
        rows = [row for row in csv.DictReader(lines) if row["train/loss_step"]]
    assert [int(row["step"]) for row in rows] == [3, 7]
    for row in rows:
        assert float(row["train/loss_step"]) == pytest.approx(losses[int(row["step"])].item(), rel=1e-5)


@pytest.mark.parametrize("likelihood", [Categorical(), Gaussian(), Bernoulli()], ids=repr)
def test_a_likelihood_that_does_not_fit_the_targets_is_refused(likelihood: Likelihood) -> None:
    targets = torch.zeros(6, 3) if isinstance(likelihood, Categorical) else torch.zeros(6, dtype=torch.long)
    loader = DataLoader(TensorDataset(torch.randn(6, 4), targets), 3)
    with pytest.raises(UserError, match="do not fit outputs"):
        trainer().test(bayes(likelihood=likelihood), loader, verbose=False)


def test_bits_as_targets() -> None:
    x, y = torch.randn(20, 4), torch.randint(2, (20, 2)).float()
    loader = DataLoader(TensorDataset(x, y), 7)
    module = bayes(likelihood=Bernoulli())
    trainer().fit(module, loader)
    (test,) = trainer().test(module, loader, verbose=False)
    wrong = (module.predictive(x).mean > 0.5) != y.bool()
    assert test["test/error"] == pytest.approx(100 * float(wrong.float().mean()))
    assert test["test/nll"] == pytest.approx(float(module.predictive(x).nll(y).mean()), rel=1e-5)


def test_no_draws_are_not_the_default_number_of_draws() -> None:
    with pytest.raises(UserError, match=r"draws \(=0\)"):
        bayes().predictive(torch.randn(2, 4), draws=0)


@pytest.mark.parametrize(("units", "weights"), [(400, 478_410), (800, 1_276_810), (1200, 2_395_210)])
def test_weights_are_those_of_the_network(units: int, weights: int) -> None:
    net = partial(MLP, hidden=[units, units])
    assert PointEstimate(net, (1, 28, 28), 10).weights == weights
    assert BayesByBackprop(net, (1, 28, 28), 10).weights == weights
    assert DeepEnsemble(net, (1, 28, 28), 10, members=2).weights == 2 * weights


def test_weights_are_counted_once_and_without_the_likelihoods() -> None:
    noise = Gaussian(0.1, learn=True)
    assert PointEstimate(partial(MLP, hidden=[8]), (4,), 1, noise).weights == 5 * 8 + 9
    assert BayesByBackprop(partial(MLP, hidden=[8]), (4,), 1, noise, bayesian="output.*").weights == 5 * 8 + 9
