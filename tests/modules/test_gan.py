import copy
import csv
import math
import pickle
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import seed_everything
from lightning.pytorch.callbacks import LambdaCallback, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from lightning_vi.adversarial import R1, GradientPenalty, LeastSquares, Minimax, NonSaturating, Wasserstein
from lightning_vi.datamodules import Digits
from lightning_vi.errors import UserError
from lightning_vi.latent_space import generative, prior_samples
from lightning_vi.modules import GAN
from lightning_vi.networks import MLP
from lightning_vi.noise_priors import Gaussian, Uniform
from lightning_vi.schedules import CosineLR
from tests.bare_trainer import trainer

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*does not have many workers", "ignore:You defined a `validation_step` but have no `val_dataloader`"
)
NET = partial(MLP, hidden=[8])
ADAM = partial(torch.optim.Adam, lr=1e-2, betas=(0.5, 0.999))
SIZE, BATCH = 23, 5  # five minibatches, the last of three


def data(size: int = SIZE) -> TensorDataset:
    return TensorDataset(torch.rand(size, 4, generator=torch.Generator().manual_seed(0)))


def loader() -> DataLoader[tuple[Tensor, ...]]:
    # With a generator of its own it draws nothing from PyTorch's global one.
    return DataLoader(data(), BATCH, generator=torch.Generator())


def gan(**options: Any) -> GAN:
    seed_everything(1, verbose=False)
    settings = {"noise": Gaussian(3), "generator_optimizer": ADAM, "discriminator_optimizer": ADAM, **options}
    return GAN((4,), NET, NET, **settings)


def output(network: nn.Module) -> nn.Linear:
    """The last layer."""
    layer = network.get_submodule("output")
    assert isinstance(layer, nn.Linear)
    return layer


@pytest.mark.parametrize("loss", [Minimax(), NonSaturating(), LeastSquares()], ids=repr)
@pytest.mark.parametrize("penalty", [None, R1(weight=2.0, every=2)], ids=repr)
@pytest.mark.parametrize("k", [1, 3])
def test_training_is_the_lectures_algorithm(loss: Any, penalty: R1 | None, k: int) -> None:
    """Number for number that of a loop written by hand, over two epochs: an iteration goes on across their border."""
    module = gan(loss=loss, penalty=penalty, discriminator_steps=k)
    module.generator.start_at(data().tensors[0].mean(dim=0), torch.ones(4))
    generator, discriminator = copy.deepcopy(module.generator), copy.deepcopy(module.discriminator)
    g_optimizer, d_optimizer = ADAM(generator.parameters()), ADAM(discriminator.parameters())
    torch.manual_seed(7)
    steps = 0
    for _ in range(2):
        for real in data().tensors[0].split(BATCH):
            fake = generator(torch.randn(len(real), 3)).detach()
            f_real, f_fake = discriminator(real), discriminator(fake)
            if isinstance(loss, LeastSquares):
                d_loss = 0.5 * ((f_real - 1) ** 2).mean() + 0.5 * (f_fake**2).mean()
            else:
                d_loss = -torch.log(torch.sigmoid(f_real)).mean() - torch.log(1 - torch.sigmoid(f_fake)).mean()
            if penalty is not None and steps % 2 == 0:
                x = real.clone().requires_grad_()
                (slope,) = torch.autograd.grad(discriminator(x).sum(), x, create_graph=True)
                d_loss = d_loss + 2 * 2.0 * 0.5 * (slope**2).sum(dim=1).mean()
            d_optimizer.zero_grad()
            d_loss.backward()
            d_optimizer.step()
            steps += 1
            if steps % k == 0:
                f = discriminator(generator(torch.randn(len(real), 3)))
                if isinstance(loss, LeastSquares):
                    g_loss = 0.5 * ((f - 1) ** 2).mean()
                elif isinstance(loss, NonSaturating):
                    g_loss = -torch.log(torch.sigmoid(f)).mean()
                else:
                    g_loss = torch.log(1 - torch.sigmoid(f)).mean()
                g_optimizer.zero_grad()
                g_loss.backward()
                g_optimizer.step()

    run = trainer(max_epochs=2, callbacks=[LambdaCallback(on_train_epoch_start=_seeded)])
    run.fit(module, loader())
    assert module.steps == {"generator": 10 // k, "discriminator": 10}
    for ours, theirs in ((module.generator, generator), (module.discriminator, discriminator)):
        for (name, mine), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-6, msg=name)


def test_wasserstein_with_a_gradient_penalty_is_that_of_the_paper() -> None:
    """Number for number that of a loop written by hand: two steps of the critic for each of the generator's."""
    module = gan(loss=Wasserstein(), penalty=GradientPenalty(weight=10.0), discriminator_steps=2)
    module.generator.start_at(data().tensors[0].mean(dim=0), torch.ones(4))
    generator, critic = copy.deepcopy(module.generator), copy.deepcopy(module.discriminator)
    g_optimizer, c_optimizer = ADAM(generator.parameters()), ADAM(critic.parameters())
    torch.manual_seed(7)
    for number, real in enumerate(data().tensors[0].split(BATCH)):
        fake = generator(torch.randn(len(real), 3)).detach()
        share = torch.rand(len(real), 1)
        between = (share * real + (1 - share) * fake).requires_grad_()
        (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
        c_loss = critic(fake).mean() - critic(real).mean() + 10.0 * ((slope.norm(dim=1) - 1) ** 2).mean()
        c_optimizer.zero_grad()
        c_loss.backward()
        c_optimizer.step()
        if number % 2 == 1:
            g_optimizer.zero_grad()
            (-critic(generator(torch.randn(len(real), 3))).mean()).backward()
            g_optimizer.step()
    run = trainer(max_epochs=1)
    _seeded(run, module)
    run.fit(module, loader())
    torch.testing.assert_close(dict(module.generator.state_dict()), dict(generator.state_dict()))
    torch.testing.assert_close(dict(module.discriminator.state_dict()), dict(critic.state_dict()))


def _seeded(run: Any, module: Any) -> None:
    if run.current_epoch == 0:
        torch.manual_seed(7)


@pytest.mark.filterwarnings("ignore:Using ModelCheckpoint with manual optimization")
@pytest.mark.parametrize("k", [1, 2, 5])
def test_the_trainer_counts_the_generators_steps(k: int, tmp_path: Path) -> None:
    saver = ModelCheckpoint(tmp_path / "saved", "{step}", every_n_train_steps=2, save_top_k=-1)
    module, logger = gan(discriminator_steps=k), CSVLogger(tmp_path, name="")
    run = trainer(
        max_steps=4, max_epochs=-1, callbacks=[saver], enable_checkpointing=True, logger=logger, log_every_n_steps=1
    )
    run.fit(module, loader())
    assert run.global_step == 4
    assert module.steps == {"generator": 4, "discriminator": 4 * k}
    assert sorted(path.stem for path in (tmp_path / "saved").iterdir()) == ["step=2", "step=4"]
    epochs = trainer(max_epochs=3)
    epochs.fit(module := gan(discriminator_steps=k), loader())
    assert epochs.global_step == module.steps["generator"] == 15 // k


def test_loggers_have_the_generators_steps_on_their_axis(tmp_path: Path) -> None:
    run = trainer(max_epochs=4, logger=CSVLogger(tmp_path, name=""), log_every_n_steps=2)
    run.fit(gan(discriminator_steps=2), loader())
    with (tmp_path / "version_0" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows if row["train/real"]] == [2, 5, 7, 10]
    assert [int(row["step"]) for row in rows if row["train/generator_loss_step"]] == [2, 4, 6, 8, 10]


def test_an_epochs_figures_are_means_over_the_steps_of_each_network() -> None:
    module = gan(discriminator_steps=2, generator_optimizer=partial(torch.optim.SGD, lr=0.0), loss=LeastSquares())
    with torch.no_grad():  # D(x) = 3 everywhere, and no step changes it
        output(module.discriminator).weight.zero_()
        output(module.discriminator).bias.fill_(3.0)
    module.optimizers_of = (module.optimizers_of[0], partial(torch.optim.SGD, lr=0.0))
    run = trainer()
    run.fit(module, loader())
    logged = {name: float(value) for name, value in run.callback_metrics.items() if name.startswith("train/")}
    assert logged == pytest.approx(
        {
            "train/discriminator_loss": 0.5 * (2.0**2 + 3.0**2),
            "train/generator_loss": 0.5 * 2.0**2,
            "train/real": 3.0,
            "train/fake": 3.0,
        }
    )


def test_judgements_are_means_over_examples() -> None:
    module = gan()
    run = trainer()
    run.test(module, loader(), verbose=False)
    module.eval()
    with torch.no_grad():
        expected = torch.sigmoid(module.discriminator(data().tensors[0])).mean()
    assert float(run.callback_metrics["test/real"]) == pytest.approx(float(expected), rel=1e-5)
    assert 0.0 < float(run.callback_metrics["test/fake"]) < 1.0
    first = float(run.callback_metrics["test/fake"])
    run.test(module, loader(), verbose=False)
    assert float(run.callback_metrics["test/fake"]) == first


@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`, callbacks")
@pytest.mark.parametrize("k", [1, 3])
def test_a_run_is_resumed_to_the_bit(k: int, tmp_path: Path) -> None:
    """Optimizers, schedules, moving average, counts and noise; at the end of an epoch and within an iteration."""

    def fit(path: Path | None = None) -> tuple[dict[str, Tensor], dict[str, int], dict[str, Tensor]]:
        net = partial(MLP, hidden=[8], dropout=0.3, normalization=nn.BatchNorm1d)
        seed_everything(1 if path is None else 2, verbose=False)
        module = GAN(
            (1, 8, 8),
            net,
            partial(MLP, hidden=[8], dropout=0.3),
            Uniform(3),
            penalty=R1(every=3),
            discriminator_steps=k,
            ema=0.9,
            generator_optimizer=ADAM,
            discriminator_optimizer=ADAM,
            generator_lr_scheduler=CosineLR,
            discriminator_lr_scheduler=CosineLR,
        )
        # Its own step counts are the trainer's, so files are named by the batch.
        at = {"callbacks": [Saver(tmp_path)]} if path is None else {}
        run = trainer(max_epochs=3, **at)
        run.fit(module, Digits(seed=3, validation_size=0), ckpt_path=path, weights_only=True)
        return module.state_dict(), module.steps, dict(run.callback_metrics)

    weights, steps, metrics = fit()
    for batch in (4, 10, 12, 17, 24):  # 12 and 24 are the last of their epochs
        resumed_weights, resumed_steps, resumed_metrics = fit(tmp_path / f"{batch}.ckpt")
        torch.testing.assert_close(resumed_weights, weights, rtol=0, atol=0)
        assert resumed_steps == steps
        assert {name: value for name, value in resumed_metrics.items() if "step" not in name} == {
            name: value for name, value in metrics.items() if "step" not in name
        }


def test_a_cut_epoch_leaves_the_schedules_where_they_are() -> None:
    halved = partial(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.5)
    run = trainer(max_steps=7, max_epochs=-1)  # of five in an epoch
    run.fit(gan(generator_lr_scheduler=halved, discriminator_lr_scheduler=halved), loader())
    assert [each.param_groups[0]["lr"] for each in run.optimizers] == pytest.approx([5e-3, 5e-3])


def test_it_trains_in_double_precision_and_without_step_logs() -> None:
    double = DataLoader(TensorDataset(data().tensors[0].double()), BATCH)
    module = gan(penalty=R1(every=2))
    trainer(precision="64-true", log_every_n_steps=0).fit(module, double)
    assert all(each.dtype == torch.float64 for each in module.parameters())
    assert module.steps["generator"] == 5


class Saver(LambdaCallback):
    """A checkpoint behind every batch."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            on_train_batch_end=lambda run, *_: run.save_checkpoint(folder / f"{run.fit_loop.total_batch_idx + 1}.ckpt")
        )


def test_the_moving_average_is_what_is_sampled() -> None:
    module = gan(ema=0.75)
    snapshots: list[Tensor] = []
    note = LambdaCallback(
        on_train_batch_end=lambda run, module, *_: snapshots.append(
            module.generator.network.output.bias.detach().clone()
        )
    )
    trainer(callbacks=[note]).fit(module, loader())
    mean = snapshots[0]
    for each in snapshots[1:]:
        mean = 0.75 * mean + 0.25 * each
    torch.testing.assert_close(output(module.sampled.network).bias, mean)
    sampled: object = module.sampled
    assert generative(module) is sampled
    assert not any(each.requires_grad for each in module.sampled.parameters())
    assert not torch.allclose(output(module.sampled.network).bias, snapshots[-1])


def test_gradients_are_clipped_for_each_network() -> None:
    norms: list[float] = []

    class Observed(torch.optim.SGD):
        def step(self, closure: Any = None) -> Any:
            assert closure is not None
            closure()  # clips
            parts = [each.grad.flatten() for group in self.param_groups for each in group["params"]]
            norms.append(float(torch.cat(parts).norm()))
            return super().step()

    optimizer = partial(Observed, lr=0.1)
    trainer().fit(
        gan(gradient_clip_norm=1e-3, generator_optimizer=optimizer, discriminator_optimizer=optimizer), loader()
    )
    assert len(norms) == 10
    assert norms == pytest.approx([1e-3] * 10, rel=1e-3)


def test_each_schedule_steps_once_per_epoch() -> None:
    rates: list[tuple[float, ...]] = []
    note = LambdaCallback(
        on_train_epoch_start=lambda run, module: rates.append(
            tuple(optimizer.param_groups[0]["lr"] for optimizer in run.optimizers)
        )
    )
    halved = partial(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.5)
    trainer(max_epochs=3, callbacks=[note]).fit(
        gan(generator_lr_scheduler=halved, discriminator_lr_scheduler=CosineLR), loader()
    )
    cosine = [0.5 * (1 + math.cos(math.pi * t / 3)) for t in range(3)]
    assert rates == [pytest.approx((1e-2 * 0.5**t, 1e-2 * cosine[t])) for t in range(3)]


def test_the_generator_starts_at_the_mean_of_the_data() -> None:
    module = gan(generator_optimizer=partial(torch.optim.SGD, lr=0.0))
    with torch.no_grad():
        output(module.generator.network).weight.zero_()
    trainer().fit(module, loader())
    images = prior_samples(generative(module), 2, seed=0)
    torch.testing.assert_close(images, data().tensors[0].mean(dim=0).expand(2, 4), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("ema", [None, 0.9])
def test_copies_and_pickles(ema: float | None) -> None:
    module = gan(ema=ema, penalty=R1())
    trainer().fit(module, loader())
    for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert repr(other) == repr(module)
        torch.testing.assert_close(other.state_dict(), module.state_dict(), rtol=0, atol=0)
        trainer().fit(other, loader())
        assert other.steps["generator"] == 10


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"discriminator_steps": 0}, r"GAN: discriminator_steps \(=0\) must be at least 1"),
        ({"ema": 1.0}, r"GAN: ema \(=1.0\) must lie in \(0, 1\)"),
        ({"gradient_clip_norm": 0.0}, r"GAN: gradient_clip_norm \(=0.0\) must be positive"),
    ],
)
def test_numbers_out_of_their_ranges(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        gan(**options)


def test_a_minibatch_of_one_cannot_be_normalised() -> None:
    module = GAN((4,), partial(MLP, hidden=[8], normalization=nn.BatchNorm1d), NET, Gaussian(3))
    single = DataLoader(data(6), 5, generator=torch.Generator())
    with pytest.raises(UserError, match="a minibatch of one example cannot be normalised"):
        trainer(max_epochs=1).fit(module, single)
    assert module.steps["discriminator"] == 0


def test_a_generator_that_would_never_step_is_refused() -> None:
    with pytest.raises(UserError, match=r"discriminator_steps \(=6\) must be at most the 5 minibatches"):
        trainer(max_epochs=1).fit(gan(discriminator_steps=6), loader())
    trainer(max_epochs=2).fit(module := gan(discriminator_steps=6), loader())
    assert module.steps == {"generator": 1, "discriminator": 10}


def test_a_second_training_has_an_axis_of_its_own(tmp_path: Path) -> None:
    module = gan()
    trainer(max_epochs=1).fit(module, loader())
    run = trainer(max_epochs=2, logger=CSVLogger(tmp_path, name=""), log_every_n_steps=1)
    run.fit(module, loader())
    with (tmp_path / "version_0" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows if row["train/real"]] == [5, 10]
    assert [int(row["step"]) for row in rows if row["train/generator_loss_step"]] == list(range(1, 11))
    assert [int(float(row["train/discriminator_steps"])) for row in rows if row["train/discriminator_steps"]] == list(
        range(6, 16)
    )


@pytest.mark.parametrize("precision", ["bf16-true", "16-true"])
def test_weights_of_16_bits_are_refused(precision: Any) -> None:
    with pytest.raises(UserError, match=f"precision \\(={precision}\\) must leave the weights in 32 bits"):
        trainer(max_epochs=1, precision=precision).fit(gan(), loader())


def test_a_schedule_that_follows_a_score_is_refused() -> None:
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau
    with pytest.raises(UserError, match="ReduceLROnPlateau follows a score"):
        trainer().fit(gan(generator_lr_scheduler=plateau), loader())
