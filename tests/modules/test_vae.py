import copy
import math
import pickle
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from lightning_vi.annealing import Constant, Linear
from lightning_vi.bounds import ELBO, IWAE, Bound, DReG
from lightning_vi.codes import Codes
from lightning_vi.corruptions import Masking
from lightning_vi.datamodules import Digits, StochasticBinarisation
from lightning_vi.errors import UserError
from lightning_vi.latent_model import StochasticLayer
from lightning_vi.likelihoods import Gaussian
from lightning_vi.marginal import evaluate
from lightning_vi.modules import VAE
from lightning_vi.networks import MLP
from lightning_vi.schedules import CosineLR
from tests.bare_trainer import trainer
from tests.ppca import DIMENSIONS, SIGMA, exact_log_prob, head, linear

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*does not have many workers", "ignore:You defined a `validation_step` but have no `val_dataloader`"
)
small = partial(MLP, hidden=[8], activation=nn.Tanh)
SGD = partial(torch.optim.SGD, lr=0.0)


def bits(size: int = 23) -> TensorDataset:
    generator = torch.Generator().manual_seed(0)
    x = (torch.rand(size, DIMENSIONS, generator=generator) < torch.linspace(0.1, 0.9, DIMENSIONS)).float()
    return TensorDataset(x, torch.zeros(size))


def vae(**options: Any) -> VAE:
    seed_everything(1, verbose=False)
    return VAE((DIMENSIONS,), small, small, **{"latent_size": 2, "optimizer": SGD, "draws": 7, **options})


@pytest.mark.parametrize("batch_size", [5, 23])
@pytest.mark.parametrize("beta", [1.0, 0.3])
def test_train_elbo_is_that_of_the_training_set(batch_size: int, beta: float) -> None:
    """With hardly any noise the epoch's ELBO is known; beta leaves it alone; the last minibatch is ragged."""
    module = vae(objective=ELBO(beta=Constant(beta)))
    output = head(module.model.encoders[0])
    with torch.no_grad():
        output.weight[2:].zero_()
        output.bias[2:].fill_(-30.0)
    run = trainer()
    run.fit(module, DataLoader(bits(), batch_size))
    truth = evaluate(module.model, bits().tensors[0], 1)
    logged = run.callback_metrics
    assert logged["train/elbo"] == pytest.approx(float(truth.elbo.mean()), rel=1e-5)
    assert logged["train/reconstruction"] == pytest.approx(float(truth.reconstruction.mean()), rel=1e-5)
    kl = float(truth.kl[0].sum(dim=-1).mean())
    assert logged["train/kl"] == pytest.approx(kl, rel=1e-5)
    assert logged["train/loss"] == pytest.approx(float(truth.reconstruction.mean()) + beta * kl, rel=1e-5)


@pytest.mark.parametrize(("beta", "free_bits"), [(4.0, 0.0), (1.0, 2.0), (0.5, 20.0)], ids=lambda value: f"{value:g}")
def test_beta_and_free_bits_change_the_loss_and_no_figure_that_is_reported(beta: float, free_bits: float) -> None:
    def logged(objective: ELBO) -> tuple[VAE, dict[str, float]]:
        module, run = vae(objective=objective), trainer()
        run.fit(module, DataLoader(bits(), 23), DataLoader(bits(), 23))
        return module, {name: float(value) for name, value in run.callback_metrics.items()}

    _, plain = logged(ELBO())
    module, other = logged(ELBO(beta=Constant(beta), free_bits=free_bits))
    loss = other.pop("train/loss")
    assert plain.pop("train/loss") == pytest.approx(-plain["train/elbo"], rel=1e-6)
    assert {"train/elbo", "train/kl", "train/reconstruction", "val/elbo", "val/kl", "val/nll"} <= plain.keys()
    assert other == plain
    kl = evaluate(module.model, bits().tensors[0], 1).kl[0].mean(dim=0)  # in closed form, and averaged over the batch
    assert (kl < free_bits).sum() == {0.0: 0, 2.0: 1, 20.0: 2}[free_bits]
    complexity = beta * float(kl.clamp(min=free_bits).sum())
    assert loss == pytest.approx(plain["train/reconstruction"] + complexity, rel=1e-5)
    assert abs(loss + plain["train/elbo"]) > 1.0


def test_training_reaches_the_optimum_of_probabilistic_pca() -> None:
    """Tipping, Bishop 1999, equation 7: the likelihood at the best W and b, in closed form."""
    generator = torch.Generator().manual_seed(0)
    scales = torch.tensor([2.0, 1.2, 0.6, 0.5, 0.4, 0.5])
    x = torch.randn(400, DIMENSIONS, generator=generator) * scales @ torch.linalg.qr(torch.randn(6, 6)).Q + 0.5
    covariance = torch.cov(x.T, correction=0).double()
    eigenvalues = torch.linalg.eigvalsh(covariance).flip(0)
    fitted = eigenvalues.clone()
    fitted[2:] = SIGMA**2  # two latent variables; sigma is given, so the others stay at it
    best = -0.5 * (DIMENSIONS * math.log(2 * math.pi) + fitted.log().sum() + (eigenvalues / fitted).sum())
    seed_everything(1, verbose=False)
    module = VAE(
        (DIMENSIONS,),
        linear,
        linear,
        latent_size=2,
        likelihood=Gaussian(SIGMA),
        objective=ELBO(samples=4),
        optimizer=partial(torch.optim.Adam, lr=0.1),
        lr_scheduler=CosineLR,
        draws=50,
    )
    run = trainer(max_epochs=300)
    data = TensorDataset(x, torch.zeros(400))
    run.fit(module, DataLoader(data, 100, shuffle=True))
    run.test(module, DataLoader(data, 400), verbose=False)
    log_prob = exact_log_prob(module.model.double(), x.double()).mean()
    assert best - 0.01 < log_prob < best + 1e-4
    logged = run.callback_metrics
    assert float(logged["test/elbo"]) == pytest.approx(float(best), abs=0.05)  # tight: the posterior is linear too
    assert float(logged["test/nll"]) == pytest.approx(-float(log_prob), abs=0.02)
    assert logged["test/active_units"] == 2


def test_one_latent_variable_is_enough() -> None:
    module = vae(latent_size=1)
    trainer().test(module, DataLoader(bits(), 23), verbose=False)
    assert [each.active.shape for each in module.units] == [(1,)]


@pytest.mark.parametrize("objective", [ELBO(2, beta=Linear(2.0)), IWAE(3), DReG(3)], ids=["ELBO", "IWAE", "DReG"])
@pytest.mark.parametrize("upper", [[], [StochasticLayer(2, small, small)]], ids=["one", "two"])
def test_it_learns(objective: Bound, upper: list[StochasticLayer]) -> None:
    module = vae(objective=objective, upper=upper, optimizer=partial(torch.optim.Adam, lr=0.01), draws=20)
    run = trainer()
    run.test(module, DataLoader(bits(), 23), verbose=False)
    before = run.callback_metrics["test/nll"]
    trainer(max_epochs=100).fit(module, DataLoader(bits(), 23))
    run = trainer()
    run.test(module, DataLoader(bits(), 23), verbose=False)
    assert run.callback_metrics["test/nll"] < before - 0.3
    assert ("test/active_units_2" in run.callback_metrics) == bool(upper)


def weights(module: LightningModule) -> Tensor:
    return torch.cat([each.detach().flatten() for each in module.state_dict().values()])


@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`, callbacks")
@pytest.mark.parametrize("every", [3, 10])
def test_a_resumed_run_ends_as_the_whole_one(every: int, tmp_path: Path) -> None:
    """Inside an epoch and at its end: latents, bits, the annealing, the rate and the epoch's figures go on."""

    def make() -> tuple[VAE, Digits]:
        seed_everything(3, verbose=False)
        module = VAE(
            (1, 8, 8),
            small,
            small,
            latent_size=2,
            objective=ELBO(beta=Linear(epochs=3.0)),
            corruption=Masking(0.2),
            optimizer=partial(torch.optim.Adam, lr=1e-2),
            lr_scheduler=CosineLR,
            draws=2,
            val_draws=2,
        )
        return module, Digits(batch_size=128, transform=StochasticBinarisation())

    saver = ModelCheckpoint(tmp_path, "{step}", every_n_train_steps=every, save_top_k=-1, enable_version_counter=False)
    whole, data = make()
    run = trainer(max_epochs=3, enable_checkpointing=True, callbacks=[saver])
    run.fit(whole, data)
    resumed, data = make()
    torch.manual_seed(99)
    again = trainer(max_epochs=3)
    again.fit(resumed, data, ckpt_path=tmp_path / f"step={13 // every * every}.ckpt", weights_only=True)
    assert torch.equal(weights(whole), weights(resumed))
    for name in ("train/elbo", "train/loss", "val/nll"):
        assert run.callback_metrics[name] == again.callback_metrics[name]


def test_the_decoder_starts_at_the_mean_of_the_data_and_only_once(tmp_path: Path) -> None:
    module = vae()
    run = trainer()
    run.fit(module, DataLoader(bits(), 5))
    torch.testing.assert_close(module.model.offset, torch.logit(bits().tensors[0].mean(dim=0)))
    run.save_checkpoint(tmp_path / "last.ckpt")
    other = TensorDataset(1 - bits().tensors[0], torch.zeros(23))
    trainer().fit(module, DataLoader(other, 5))
    torch.testing.assert_close(module.model.offset, torch.logit(bits().tensors[0].mean(dim=0)))


def test_a_checkpoint_rebuilds_it(tmp_path: Path) -> None:
    module = vae(val_draws=3)
    run = trainer()
    run.fit(module, DataLoader(bits(), 5))
    run.save_checkpoint(tmp_path / "last.ckpt")
    other = VAE.load_from_checkpoint(tmp_path / "last.ckpt", weights_only=True, encoder=small, decoder=small)
    assert other.val_draws == 3
    assert torch.equal(weights(module), weights(other))


@pytest.mark.parametrize(
    "objective", [ELBO(2, beta=Linear(5.0), free_bits=0.1), IWAE(3), DReG(3)], ids=lambda each: type(each).__name__
)
def test_copies_and_pickles_go_on_as_the_module_itself(objective: Bound) -> None:
    upper = [StochasticLayer(2, small, small)]
    module = vae(objective=objective, upper=upper, corruption=Masking(), optimizer=partial(torch.optim.Adam, lr=0.01))
    loader, ends = DataLoader(bits(), 5), []
    trainer().fit(module, loader)
    trainer().test(module, loader, verbose=False)  # whose noting of latent variables is copied too
    twins = copy.deepcopy(module), pickle.loads(pickle.dumps(module))
    shown = repr(module)
    assert "VAE(" in shown
    assert "MLP(" in shown
    for each in (module, *twins):
        assert repr(each) == shown
        assert dict(each.hparams) == dict(module.hparams)
        seed_everything(2, verbose=False)
        trainer().fit(each, loader)
        ends.append((weights(each), each.evaluate(bits().tensors[0], 3).nll))
    for end in ends[1:]:
        torch.testing.assert_close(end, ends[0], rtol=0, atol=0)


def test_the_encoder_sees_the_corrupted_input_in_training_alone() -> None:
    module = vae(corruption=Masking(0.5))
    seen: list[Tensor] = []
    module.model.encoders[0].register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    data = DataLoader(TensorDataset(0.5 + 0.5 * torch.rand(64, DIMENSIONS), torch.zeros(64)), 64)
    trainer().fit(module, data)
    assert 0.3 < (seen[0] == 0.0).float().mean() < 0.7
    trainer().test(module, data, verbose=False)
    assert (seen[-1] >= 0.5).all()


def test_predictions_are_codes() -> None:
    module = vae(val_draws=500)
    x = bits().tensors[0]
    for batch in (x, (x, torch.zeros(23))):
        codes = module.predict_step(batch, 0)
        assert isinstance(codes, Codes)
        assert codes.standard_deviation is not None
        mean, log_variance = module.model.encode(x)
        torch.testing.assert_close(codes.mean, mean)
        torch.testing.assert_close(codes.standard_deviation, (0.5 * log_variance).exp())
        assert codes.scores["elbo"].shape == codes.scores["reconstruction"].shape == (23,)
        assert (codes.scores["elbo"] <= -codes.scores["reconstruction"]).all()


def test_unused_latent_variables_are_named(caplog: pytest.LogCaptureFixture) -> None:
    module = vae(latent_size=4)
    output = head(module.model.encoders[0])
    with torch.no_grad():
        output.weight[[0, 2, 3]] = 0.0
    with caplog.at_level("INFO"):
        trainer().test(module, DataLoader(bits(), 23), verbose=False)
    assert "Latent variables of layer 1 that are not used: 0, 2 to 3" in caplog.text
    assert [each.active.tolist() for each in module.units] == [[False, True, False, False]]
    with torch.no_grad():
        output.weight.zero_()
    with pytest.warns(UserWarning, match="none of the latent variables of layer 1, 0 to 3, depends"):
        trainer().test(module, DataLoader(bits(), 23), verbose=False)


def test_inputs_come_with_or_without_targets() -> None:
    x = bits().tensors[0]
    for dataset in (bits(), TensorDataset(x)):
        module = vae(optimizer=partial(torch.optim.SGD, lr=0.1))
        run = trainer()
        run.fit(module, DataLoader(dataset, 5))
        assert run.callback_metrics["train/loss"] > 3.0
        run.test(module, DataLoader(dataset, 23), verbose=False)
        assert 3.0 < run.callback_metrics["test/nll"] < 6.0


def test_a_validation_by_itself_takes_all_draws() -> None:
    module = vae(draws=300, val_draws=1)
    run = trainer()
    run.validate(module, DataLoader(bits(), 23), verbose=False)
    alone = float(run.callback_metrics["val/nll"])
    assert alone == pytest.approx(float(module.evaluate(bits().tensors[0], 300).nll.mean()), rel=1e-5)
    run.fit(module, DataLoader(bits(), 23), DataLoader(bits(), 23))
    assert float(run.callback_metrics["val/nll"]) != pytest.approx(alone, rel=1e-5)


def test_pixels_that_are_no_probabilities_are_refused() -> None:
    grey = TensorDataset(2.02 * torch.ones(23, DIMENSIONS), torch.zeros(23))
    with pytest.raises(UserError, match=r"Bernoulli: targets must lie in .* set scaling to UnitInterval"):
        trainer().fit(vae(), DataLoader(grey, 5))


def test_an_encoder_that_changes_does_not_go_with_dreg() -> None:
    upper = [StochasticLayer(2, partial(MLP, hidden=[4], dropout=0.3), small)]
    vae(objective=IWAE(2), upper=upper)
    with pytest.raises(UserError, match="DReG runs the encoders of upper twice"):
        vae(objective=DReG(2), upper=upper)


def test_bits_per_dimension_of_dequantised_data() -> None:
    module = vae(likelihood=Gaussian(0.3), levels=256)
    run = trainer()
    run.test(module, DataLoader(bits(), 23), verbose=False)
    logged = run.callback_metrics
    assert float(logged["test/bits_per_dim"]) == pytest.approx(
        float(logged["test/nll"]) / (DIMENSIONS * math.log(2)) + 8, rel=1e-5
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"draws": 0}, r"VAE: draws \(=0\) must be at least 1"),
        ({"val_draws": -1}, r"VAE: val_draws \(=-1\)"),
        ({"latent_size": 0}, "latent_size"),
    ],
)
def test_wrong_arguments_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        vae(**options)
