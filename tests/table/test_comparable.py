from functools import partial
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.cli import ReduceLROnPlateau
from torch import Tensor, nn

from lightning_vi.datamodules import Digits
from lightning_vi.errors import UserError
from lightning_vi.likelihoods import Gaussian
from lightning_vi.modules import DeepEnsemble, MeanField
from lightning_vi.modules.finite_steps import FiniteSteps
from lightning_vi.networks import MLP, DropConnect
from lightning_vi.table.comparable import Comparable, draws_numbers
from tests.bare_trainer import trainer


def fit(callbacks: list[Any] | None = None, options: dict[str, Any] | None = None, **arguments: Any) -> None:
    seed_everything(0, verbose=False)
    defaults = {"net": partial(MLP, hidden=[8]), "input_shape": (1, 8, 8), "target_size": 10, "members": 2}
    module = DeepEnsemble(**{**defaults, "own_orders": True, **arguments})
    run: Trainer = trainer(callbacks=[*(callbacks or []), Comparable()], **(options or {}))
    run.fit(module, datamodule=Digits())


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"mean_field": MeanField()},
        {"net": partial(MLP, hidden=[8], normalization=nn.BatchNorm1d)},
        {"optimizer": partial(torch.optim.Adam, lr=0.1)},
    ],
    ids=["point", "bayesian", "normalised", "adam"],
)
def test_what_treats_members_apart_is_trained(arguments: dict[str, Any]) -> None:
    fit(**arguments)


def test_clipping_by_value_treats_each_weight_by_itself() -> None:
    fit(options={"gradient_clip_val": 0.1, "gradient_clip_algorithm": "value"})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"net": partial(MLP, hidden=[8], dropout=0.5)}, "model.net draws random numbers"),
        ({"net": partial(MLP, hidden=[8], input_dropout=0.5), "mean_field": MeanField()}, "model.net draws random"),
        ({"net": partial(MLP, hidden=[8], linear=partial(DropConnect, p=0.5))}, "model.net draws random numbers"),
        ({"optimizer": torch.optim.LBFGS}, r"model.optimizer \(=LBFGS\) may mix the weights"),
        ({"lr_scheduler": partial(ReduceLROnPlateau, monitor="val/nll")}, "ReduceLROnPlateau"),
        ({"likelihood": Gaussian(0.1, learn=True)}, r"model.likelihood \(=Gaussian\) has parameters"),
        ({"options": {"gradient_clip_val": 0.1}}, "clips by the norm of all seeds' gradients together"),
        ({"callbacks": [EarlyStopping("val/nll")]}, "EarlyStopping looks at the score of all seeds"),
        ({"callbacks": [FiniteSteps(skip=1)]}, "FiniteSteps would skip the steps of all seeds"),
    ],
)
def test_what_members_share_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        fit(**arguments)


def test_a_shared_loss_scale_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trainer, "precision", "16-mixed")  # which a processor does not have
    with pytest.raises(UserError, match="scales the loss of all seeds together; bf16-mixed does not"):
        fit()


def test_the_check_that_stops_at_a_fault_is_no_obstacle() -> None:
    fit(callbacks=[FiniteSteps()])


class Noisy(nn.Linear):
    """A layer of a user's own."""

    def forward(self, input: Tensor) -> Tensor:
        noise = torch.randn_like(input) if self.training else 0.0
        return super().forward(input + noise)


def test_random_layers_are_found_whatever_they_are_called() -> None:
    noisy, plain, normalised = Noisy(4, 2), nn.Linear(4, 2), nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 2))
    before = torch.get_rng_state()
    assert draws_numbers(noisy, (4,))
    assert not draws_numbers(plain, (4,))
    assert not draws_numbers(normalised, (4,))
    assert torch.equal(torch.get_rng_state(), before)
