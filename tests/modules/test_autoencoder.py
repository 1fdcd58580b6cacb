import copy
import math
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from lightning_vi.codes import Codes
from lightning_vi.corruptions import Corruption, GaussianNoise, Masking
from lightning_vi.datamodules import Digits
from lightning_vi.errors import UserError
from lightning_vi.likelihoods import Bernoulli, Gaussian, HeteroscedasticGaussian, Likelihood
from lightning_vi.modules import Autoencoder
from lightning_vi.networks import MLP, ConvolutionalDecoder, ConvolutionalEncoder
from lightning_vi.schedules import CosineLR
from tests.bare_trainer import trainer

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*does not have many workers",
    "ignore:You defined a `validation_step` but have no `val_dataloader`",
    "ignore:Be aware that when using `ckpt_path`, callbacks",
)
SHAPE = (1, 2, 3)
SGD = partial(torch.optim.SGD, lr=0.0)
ADAM = partial(torch.optim.Adam, lr=0.01)


class Erasure(Corruption):
    """Nothing is left."""

    def __call__(self, inputs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return torch.zeros_like(inputs)


def data(size: int = 23) -> TensorDataset:
    x = torch.rand(size, *SHAPE, generator=torch.Generator().manual_seed(0))
    return TensorDataset(x, torch.zeros(size))


def autoencoder(**options: Any) -> Autoencoder:
    seed_everything(1, verbose=False)
    net = partial(MLP, hidden=[8])
    return Autoencoder(SHAPE, net, net, **{"code_size": 2, "optimizer": SGD, **options})


def mean_nll(module: Autoencoder, seen: Tensor, x: Tensor) -> Tensor:
    log_prob: Tensor = module.model.likelihood(module.model.reconstruct(seen)).log_prob(x.flatten(1))
    return -log_prob.mean().detach()


@pytest.mark.parametrize("batch_size", [5, 23])
@pytest.mark.parametrize("likelihood", [Gaussian(), Bernoulli(), HeteroscedasticGaussian()], ids=repr)
def test_the_training_loss_is_that_of_the_training_set(batch_size: int, likelihood: Likelihood) -> None:
    """With a learning rate of 0; the last minibatch is ragged."""
    module, run, x = autoencoder(likelihood=likelihood), trainer(), data().tensors[0]
    run.fit(module, DataLoader(data(), batch_size))
    torch.testing.assert_close(run.callback_metrics["train/loss"], mean_nll(module, x, x))
    assert run.callback_metrics["train/reconstruction"] == run.callback_metrics["train/loss"]


def test_by_default_it_is_half_the_squared_error_in_nats() -> None:
    module, run, x = autoencoder(), trainer(), data().tensors[0].flatten(1)
    run.fit(module, DataLoader(data(), 5))
    squared = (module.model.reconstruct(data().tensors[0]) - x).square().sum(dim=1).mean().detach()
    truth = 0.5 * squared + 0.5 * 6 * math.log(2 * math.pi)
    torch.testing.assert_close(run.callback_metrics["train/loss"], truth)


def test_the_encoder_sees_corrupted_inputs_and_the_target_is_clean() -> None:
    module, run, x = autoencoder(corruption=Erasure()), trainer(), data().tensors[0]
    run.fit(module, DataLoader(data(), 5))
    torch.testing.assert_close(run.callback_metrics["train/loss"], mean_nll(module, torch.zeros_like(x), x))
    (test,) = run.test(module, DataLoader(data(), 5), verbose=False)
    assert test["test/nll"] == pytest.approx(float(mean_nll(module, x, x)), rel=1e-5)
    for name, seen in (("mse", x), ("mse_corrupted", torch.zeros_like(x))):
        squares = (module.model.reconstruct(seen) - x.flatten(1)).square().detach()
        assert test[f"test/{name}"] == pytest.approx(float(squares.mean()), rel=1e-5)


@pytest.mark.parametrize("likelihood", [Gaussian(0.5), Bernoulli(), HeteroscedasticGaussian(0.1)], ids=repr)
def test_scores_are_those_of_the_whole_split_however_it_is_cut(likelihood: Likelihood) -> None:
    module, x = autoencoder(likelihood=likelihood), data().tensors[0]
    mean = likelihood(module.model.reconstruct(x)).mean
    truth = {"nll": float(mean_nll(module, x, x)), "mse": float((mean - x.flatten(1)).square().mean().detach())}
    for size in (1, 10, 23):
        loader = DataLoader(data(), size)
        (val,) = trainer().validate(module, loader, verbose=False)
        (test,) = trainer().test(module, loader, verbose=False)
        assert val == pytest.approx({f"val/{name}": value for name, value in truth.items()}, rel=1e-5)
        assert test == pytest.approx({f"test/{name}": value for name, value in truth.items()}, rel=1e-5)


def test_evaluation_corrupts_alike_every_time_and_draws_nothing_else() -> None:
    module, loader = autoencoder(corruption=GaussianNoise(0.5)), DataLoader(data(), 10)
    first = trainer().test(module, loader, verbose=False)
    torch.manual_seed(9)
    assert trainer().test(module, loader, verbose=False) == first
    assert first[0]["test/mse_corrupted"] != first[0]["test/mse"]
    torch.manual_seed(9)
    before = torch.get_rng_state()
    module._score("val", data().tensors[0], batch_idx=0)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_linear_denoiser_is_wieners_filter() -> None:
    """Of a direction with variance s and noise of variance 1 the best linear map leaves an error of s / (s + 1)."""
    variances = torch.tensor([9.0, 4.0, 1.0, 0.5, 0.2, 0.1])
    x = torch.randn(2000, 6, generator=torch.Generator().manual_seed(3)) * variances.sqrt() + 2.0
    loader = DataLoader(TensorDataset(x), 100)
    net, adam = partial(MLP, hidden=[]), partial(torch.optim.Adam, lr=0.03)
    noise = GaussianNoise(1.0)
    module = Autoencoder((6,), net, net, 6, corruption=noise, optimizer=adam, lr_scheduler=CosineLR)
    trainer(max_epochs=25).fit(module, loader)
    (scores,) = trainer().test(module, loader, verbose=False)
    assert scores["test/mse_corrupted"] == pytest.approx(float((variances / (variances + 1)).mean()), rel=0.05)


def test_the_decoder_starts_at_the_mean_of_the_training_data_once() -> None:
    module, loader = autoencoder(), DataLoader(data(), 5)
    trainer().fit(module, loader)
    torch.testing.assert_close(module.model.offset, data().tensors[0].flatten(1).mean(dim=0))
    trainer().fit(module, DataLoader(TensorDataset(data().tensors[0] + 1, data().tensors[1]), 5))
    torch.testing.assert_close(module.model.offset, data().tensors[0].flatten(1).mean(dim=0))


def test_the_test_split_can_be_watched_over_the_epochs() -> None:
    module, run = autoencoder(optimizer=ADAM), trainer(max_epochs=2)
    val, test = DataLoader(data(10), 7), DataLoader(data(), 7)
    run.fit(module, DataLoader(data(), 5), [val, test])
    watched = {name: float(value) for name, value in run.callback_metrics.items()}
    for name, value in (*run.validate(module, val, verbose=False)[0].items(),):
        assert watched[name] == pytest.approx(value)
    for name, value in (*run.test(module, test, verbose=False)[0].items(),):
        assert watched[name] == pytest.approx(value)


def test_a_diverged_network_has_no_score() -> None:
    module, x = autoencoder(), data().tensors[0].clone()
    x[3] = math.nan
    (test,) = trainer().test(module, DataLoader(TensorDataset(x, x), 5), verbose=False)
    assert math.isnan(test["test/nll"])
    assert math.isnan(test["test/mse"])


def test_prediction_gives_codes_and_reconstruction_errors_with_and_without_labels() -> None:
    module, x = autoencoder(likelihood=Bernoulli()), data().tensors[0]
    (codes,) = trainer().predict(module, DataLoader(data(), 23)) or []
    (unlabelled,) = trainer().predict(module, DataLoader(x, 23)) or []  # type: ignore[arg-type]
    assert isinstance(codes, Codes)
    assert isinstance(unlabelled, Codes)
    assert codes.standard_deviation is None
    torch.testing.assert_close(codes.mean, module.model.encode(x).mean.detach())
    assert torch.equal(codes.mean, unlabelled.mean)
    (test,) = trainer().test(module, DataLoader(data(), 23), verbose=False)
    for name, score in (("reconstruction", "nll"), ("mse", "mse")):
        assert codes.scores[name].shape == (23,)
        assert float(codes.scores[name].mean()) == pytest.approx(test[f"test/{score}"], rel=1e-5)


def test_an_outlier_has_the_largest_error() -> None:
    module, x = autoencoder(optimizer=ADAM), data().tensors[0].clone()
    trainer(max_epochs=20).fit(module, DataLoader(data(), 5))
    x[11] = 4.0
    scores = module.predict_step(x, 0).scores
    assert scores["reconstruction"].argmax() == scores["mse"].argmax() == 11


def test_a_device_may_have_no_example_of_the_last_minibatch() -> None:
    """It adds nothing to the scores, and a loss of 0 to the gradient."""
    module, x = autoencoder(corruption=Masking()), data().tensors[0]
    trainer().fit(module, DataLoader(data(), 5))
    for inputs in (x, x[:0]):
        module._score("test", inputs, batch_idx=0)
    scores = {name: float(metric.compute()) for name, metric in module._metrics("test").items()}
    assert scores["nll"] == pytest.approx(float(mean_nll(module, x, x)), rel=1e-5)
    assert math.isfinite(scores["mse_corrupted"])
    module.zero_grad()
    loss = module.training_step((x[:0], x[:0]), 0)
    loss.backward()
    assert loss == 0
    assert all(each.grad is not None and not each.grad.any() for each in module.parameters())


def test_data_need_no_labels() -> None:
    run = trainer()
    run.fit(autoencoder(), DataLoader(TensorDataset(data().tensors[0]), 5))
    assert "train/loss" in run.callback_metrics


def test_an_epoch_cut_short_has_no_loss() -> None:
    run = trainer(max_steps=3, max_epochs=-1)
    run.fit(autoencoder(), DataLoader(data(), 5))
    assert "train/loss" not in run.callback_metrics


def test_every_parameter_receives_a_gradient_and_the_likelihoods_too() -> None:
    decoder = partial(ConvolutionalDecoder, image_size=(8, 8), channels=(6, 4))
    encoder = partial(ConvolutionalEncoder, channels=(4, 6))
    module = Autoencoder((1, 8, 8), encoder, decoder, 3, Gaussian(learn=True), Masking(), ADAM)
    before = {name: each.detach().clone() for name, each in module.named_parameters()}
    run = trainer()
    run.fit(module, Digits(seed=0))
    for name, each in module.named_parameters():
        assert not torch.equal(each, before[name]), name
    assert run.callback_metrics["val/nll"].isfinite()


def test_copies_compute_the_same_and_can_be_shown() -> None:
    module, x = autoencoder(corruption=Masking(0.1)), data().tensors[0]
    trainer().fit(module, DataLoader(data(), 5))
    twin = copy.deepcopy(module)
    assert torch.equal(twin.model.reconstruct(x), module.model.reconstruct(x))
    assert repr(twin) == repr(module)
    assert "MLP" in repr(module)


def test_a_checkpoint_loads_as_data_and_keeps_what_is_plain(tmp_path: Path) -> None:
    module, run, x = autoencoder(corruption=Masking()), trainer(), data().tensors[0]
    run.fit(module, DataLoader(data(), 5))
    run.save_checkpoint(tmp_path / "a.ckpt")
    assert dict(module.hparams) == {"input_shape": SHAPE, "code_size": 2, "likelihood": None, "lr_scheduler": None}
    net = partial(MLP, hidden=[8])
    loaded = Autoencoder.load_from_checkpoint(tmp_path / "a.ckpt", weights_only=True, encoder=net, decoder=net)
    assert torch.equal(loaded.model.reconstruct(x), module.model.reconstruct(x))


def test_a_run_resumed_inside_an_epoch_ends_like_the_whole_run(tmp_path: Path) -> None:
    def fit(path: Path | None = None) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        seed_everything(1 if path is None else 2, verbose=False)  # the noise does not come from the seed by chance
        net = partial(MLP, hidden=[8], dropout=0.2)
        module = Autoencoder((1, 8, 8), net, net, 2, corruption=GaussianNoise(), optimizer=ADAM, lr_scheduler=CosineLR)
        saver = ModelCheckpoint(tmp_path, "{step}", every_n_train_steps=5, save_top_k=-1, enable_version_counter=False)
        run = trainer(max_epochs=3, callbacks=[saver] if path is None else [], enable_checkpointing=path is None)
        run.fit(module, Digits(seed=3), ckpt_path=path, weights_only=True)
        return module.state_dict(), dict(run.callback_metrics)

    weights, metrics = fit()
    assert {"train/loss", "val/nll", "val/mse", "val/mse_corrupted"} <= metrics.keys()
    for step in (5, 10, 25):  # inside the first and the third epoch of ten steps, and at an end
        resumed_weights, resumed_metrics = fit(tmp_path / f"step={step}.ckpt")
        torch.testing.assert_close(resumed_weights, weights, rtol=0, atol=0)
        assert resumed_metrics == metrics


def test_a_code_needs_variables() -> None:
    with pytest.raises(UserError, match=r"code_size \(=0\) must be at least 1"):
        autoencoder(code_size=0)
