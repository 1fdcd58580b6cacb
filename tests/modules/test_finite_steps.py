"""A step that is not finite ends the run before it changes anything, or is skipped as if it had not been."""

import copy
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from lightning_vi.errors import UserError
from lightning_vi.likelihoods import Gaussian as GaussianLikelihood
from lightning_vi.modules import GAN, VAE, Autoencoder, BayesByBackprop, PointEstimate
from lightning_vi.modules.finite_steps import FiniteSteps
from lightning_vi.networks import MLP
from lightning_vi.noise_priors import Gaussian
from tests.bare_trainer import trainer
from tests.overflowing import Overflowing

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*does not have many workers", "ignore:You defined a `validation_step` but have no `val_dataloader`"
)
NET = partial(MLP, hidden=[4])
INPUTS = torch.rand(24, 3, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(24) % 2
ADAMW = partial(torch.optim.AdamW, lr=0.1, weight_decay=0.1)
FAR = partial(torch.optim.SGD, lr=3e38, weight_decay=1e3)


def loader(*bad: int, value: float = math.nan) -> DataLoader[tuple[Tensor, ...]]:
    """Six minibatches of four examples; the bad ones hold a number that is not finite."""
    inputs = INPUTS.clone()
    inputs[[4 * each for each in bad], 0] = value
    return DataLoader(TensorDataset(inputs, LABELS), 4, generator=torch.Generator())


class Line(LightningModule):
    """A line through a normalised input, fitted to 1; its gradient alone is infinite at the steps `steep`."""

    def __init__(self, steep: tuple[int, ...] = (), optimizer: Callable[..., torch.optim.Optimizer] = ADAMW) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.normalisation = nn.Linear(3, 1), nn.BatchNorm1d(3)
        self.steep, self.optimizer = steep, optimizer

    def configure_callbacks(self) -> list[Callback]:
        return FiniteSteps.unless_there(self.trainer)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss: Tensor = (self.layer(self.normalisation(batch[0])) - 1.0).square().mean()
        if batch_idx in self.steep:
            loss = loss + (self.layer.bias - self.layer.bias.detach()).abs().sqrt().sum()  # 0, and its slope not finite
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.optimizer(self.parameters())


def snapshot(module: nn.Module) -> dict[str, Tensor]:
    return copy.deepcopy(module.state_dict())


class Watch(Callback):
    """Keeps weights, statistics and the optimizer's state as they are behind each minibatch."""

    def __init__(self) -> None:
        self.weights: list[dict[str, Tensor]] = []
        self.states: list[Any] = []

    def on_train_batch_end(self, trainer: Any, pl_module: LightningModule, *rest: Any) -> None:
        self.weights.append(snapshot(pl_module))
        self.states.append(copy.deepcopy([each.state_dict() for each in trainer.optimizers]))


@pytest.mark.parametrize("bad", [0, 3])
@pytest.mark.parametrize("cause", ["loss", "gradient"])
@pytest.mark.parametrize("fused", [False, True])
def test_the_first_step_that_is_not_finite_changes_nothing(bad: int, cause: str, fused: bool) -> None:
    module = Line((bad,) if cause == "gradient" else (), partial(ADAMW, fused=fused))
    watch = Watch()
    data = loader(bad, value=math.inf) if cause == "loss" else loader()
    before = dict(module.layer.named_parameters())
    with pytest.raises(UserError, match=rf"(?s)^Line: .* not finite at step {bad + 1} \(epoch 1, learning rate 0.1\)"):
        trainer(callbacks=[watch]).fit(module, data)
    assert len(watch.weights) == bad
    for name, value in before.items():
        assert bool(value.isfinite().all())
        if bad:
            assert torch.equal(value, watch.weights[-1][f"layer.{name}"])


def test_a_loss_is_named_with_its_value_and_a_gradient_with_its_parameter() -> None:
    both = r"^Line: loss \(=nan\) and the gradient of layer and normalisation are"
    with pytest.raises(UserError, match=both) as told:
        trainer().fit(Line(), loader(2))
    assert "The minibatch's own numbers are not finite: mend the data." in str(told.value)
    with pytest.raises(UserError, match=r"^Line: the gradient of layer.bias is not finite") as told:
        trainer().fit(Line(steep=(2,)), loader())
    assert "Lower the learning rate, clip the gradient (--trainer.gradient_clip_val 1)" in str(told.value)
    assert len(str(told.value).splitlines()) == 2


def test_an_earlier_one_of_accumulated_minibatches_is_seen() -> None:
    watch = Watch()
    with pytest.raises(UserError, match=r"loss \(=nan\).* at step 2 "):
        trainer(callbacks=[watch], accumulate_grad_batches=2).fit(Line(), loader(2))
    assert len(watch.weights) == 3


@pytest.mark.parametrize("accumulated", [1, 2])
def test_a_skipped_step_leaves_everything_as_it_is(accumulated: int) -> None:
    """Weights, statistics and the optimizer's state, weight decay and momentum included, to the bit."""
    finite_steps, watch = FiniteSteps(skip=1), Watch()
    module = Line()
    trainer(callbacks=[finite_steps, watch], accumulate_grad_batches=accumulated).fit(module, loader(2))
    assert finite_steps.skipped == 1
    last = 2 + accumulated - 1  # minibatch of the skipped step
    for name, value in watch.weights[1].items():
        if name != "normalisation.num_batches_tracked":
            assert torch.equal(watch.weights[last][name], value), name
    assert str(watch.states[last]) == str(watch.states[1])
    assert all(bool(each.isfinite().all()) for each in module.state_dict().values())
    assert not torch.equal(watch.weights[-1]["layer.weight"], watch.weights[1]["layer.weight"])


def test_one_step_too_many_in_a_row_stops() -> None:
    finite_steps = FiniteSteps(skip=2)
    trainer(callbacks=[finite_steps]).fit(Line(), loader(0, 1, 3, 4))
    assert finite_steps.skipped == 4
    with pytest.raises(UserError, match=r"(?s)^After 2 skipped steps in a row: Line: .* at step 4 "):
        trainer(callbacks=[FiniteSteps(skip=2)]).fit(Line(), loader(1, 2, 3))


def test_the_number_goes_on_after_a_resumption_and_is_logged(tmp_path: Path) -> None:
    first = trainer(callbacks=[FiniteSteps(skip=1)], default_root_dir=tmp_path)
    first.fit(Line(), loader(2))
    assert float(first.callback_metrics["train/skipped_steps"]) == 1.0
    first.save_checkpoint(tmp_path / "one.ckpt")
    finite_steps = FiniteSteps(skip=1)
    trainer(max_epochs=2, callbacks=[finite_steps]).fit(
        Line(), loader(1, 4), ckpt_path=str(tmp_path / "one.ckpt"), weights_only=True
    )
    assert finite_steps.skipped == 3


def test_epoch_means_are_those_of_the_steps_made() -> None:
    """The minibatches that are left are alike, so each has the mean's loss."""
    inputs = INPUTS[:4].repeat(6, 1)
    inputs[8] = math.nan
    data = DataLoader(TensorDataset(inputs, LABELS[:4].repeat(6)), 4, generator=torch.Generator())
    still = partial(torch.optim.SGD, lr=0.0)
    run = trainer(callbacks=[FiniteSteps(skip=1)])
    module = PointEstimate(NET, (3,), 2, optimizer=still)
    run.fit(module, data)
    expected = module.likelihood.nll(module.model(INPUTS[:4]).detach(), LABELS[:4]).mean()
    assert float(run.callback_metrics["train/nll"]) == pytest.approx(float(expected), rel=1e-5)


class Often(ModelCheckpoint):
    def __init__(self, folder: Path, **options: Any) -> None:
        super().__init__(folder, "last", every_n_train_steps=1, enable_version_counter=False, **options)


@pytest.mark.parametrize("on_exception", [False, True])
def test_the_last_good_checkpoint_stays_and_is_named(tmp_path: Path, on_exception: bool) -> None:
    saver, watch = Often(tmp_path, save_on_exception=on_exception), Watch()
    with pytest.raises(UserError, match=rf"The last good checkpoint is {tmp_path / 'last.ckpt'}\."):
        trainer(callbacks=[watch, saver], enable_checkpointing=True).fit(Line(), loader(4))
    saved = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert saved["global_step"] == 4
    for name in ("layer.weight", "layer.bias"):
        assert torch.equal(saved["state_dict"][name], watch.weights[3][name])


def test_weights_that_an_update_has_made_infinite_are_not_saved(tmp_path: Path) -> None:
    """Loss and gradient are finite there, and the next step comes after the checkpoint."""
    with pytest.raises(UserError, match=r"(?s)^Line: layer.weight must be finite, .* after step 1; .* before\.$"):
        trainer(callbacks=[Often(tmp_path)], enable_checkpointing=True).fit(Line(optimizer=FAR), loader())
    assert not list(tmp_path.glob("*.ckpt"))


def test_weights_that_an_update_has_made_infinite_are_told_at_the_next_step() -> None:
    with pytest.raises(UserError, match=r"at step 2 .*\nThe weights are not finite either: .* Lower the learning rate"):
        trainer().fit(Line(optimizer=FAR), loader())


def gan(network: str) -> GAN:
    torch.manual_seed(1)
    return GAN(
        (3,), NET, NET, Gaussian(2), Overflowing(network), ema=0.5,
        generator_optimizer=ADAMW, discriminator_optimizer=ADAMW,
    )  # fmt: skip


@pytest.mark.parametrize("network", ["generator", "discriminator"])
def test_of_a_gan_the_network_is_named(network: str) -> None:
    with pytest.raises(UserError, match=rf"^GAN: {network}_loss \(=inf\) and the gradient of {network}\b.* step 2 "):
        trainer().fit(gan(network), loader())


def test_a_skipped_step_of_a_generator_leaves_its_moving_average() -> None:
    watch = Watch()
    trainer(callbacks=[FiniteSteps(skip=1), watch]).fit(gan("generator"), loader())
    before, after = ({n: v for n, v in each.items() if "discriminator" not in n} for each in watch.weights[:2])
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert any(not torch.equal(watch.weights[1][name], watch.weights[0][name]) for name in watch.weights[0])


def bayes() -> LightningModule:
    return BayesByBackprop(NET, (3,), 2, optimizer=partial(torch.optim.SGD, lr=1e30), compile=False)


def vae() -> LightningModule:
    return VAE((3,), NET, NET, 2, GaussianLikelihood(), optimizer=partial(torch.optim.SGD, lr=1e30))


def point() -> LightningModule:
    return PointEstimate(NET, (3,), 2, optimizer=FAR)


def autoencoder() -> LightningModule:
    return Autoencoder((3,), NET, NET, 2, optimizer=partial(torch.optim.SGD, lr=1e30))


@pytest.mark.parametrize(
    ("make", "terms"),
    [(bayes, "(nll|kl)"), (point, "nll"), (vae, "(reconstruction|kl)"), (autoencoder, "reconstruction")],
)
def test_modules_tell_the_terms_of_their_loss(make: Callable[[], LightningModule], terms: str) -> None:
    module = make()
    with pytest.raises(UserError, match=rf"^{type(module).__name__}: {terms} \(=\S*(inf|nan)\).* at step [23] "):
        trainer().fit(module, loader())


def test_a_loss_scale_may_overflow_but_not_without_end() -> None:
    """At a scale below 1 it is the gradient itself that is not finite."""
    from tests.modules.test_gan_precision import Scaled

    run = trainer(plugins=[Scaled()], max_epochs=4)
    with pytest.raises(UserError, match=r"^Line: the gradient of layer.bias is not finite at step 12 "):
        run.fit(Line(steep=tuple(range(24))), loader())  # 2^10, halved eleven times


def test_skip_must_not_be_negative() -> None:
    with pytest.raises(UserError, match=r"FiniteSteps: skip \(=-1\) must be at least 0"):
        FiniteSteps(skip=-1)
