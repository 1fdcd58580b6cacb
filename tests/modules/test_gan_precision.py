"""A GAN's two optimizers share one loss scale: each network's update is that of a training without any."""

from functools import partial
from typing import Any

import pytest
import torch
from lightning.pytorch.plugins import MixedPrecision
from torch import Tensor, nn

from lightning_vi.adversarial import R1
from lightning_vi.errors import UserError
from lightning_vi.modules import GAN
from lightning_vi.modules.finite_steps import FiniteSteps
from tests.bare_trainer import trainer
from tests.modules.test_gan import gan, loader
from tests.overflowing import Overflowing

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*does not have many workers", "ignore:You defined a `validation_step` but have no `val_dataloader`"
)


class Scaled(MixedPrecision):
    """The scale of fp16 training; what is computed stays in fp32, so that updates can be compared to the bit."""

    def __init__(self) -> None:
        super().__init__("16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=3))

    def autocast_context_manager(self) -> torch.autocast:
        return torch.autocast("cpu", enabled=False)


def trained(scaled: bool, **options: Any) -> GAN:
    module = gan(penalty=R1(every=2), **options)
    torch.manual_seed(3)
    run = trainer(max_epochs=2, plugins=[Scaled()] if scaled else [], callbacks=[FiniteSteps(skip=1)])
    run.fit(module, loader())
    return module


@pytest.mark.parametrize("clip", [None, 0.05])
@pytest.mark.parametrize("overflowing", ["none", "discriminator", "generator"])
def test_a_loss_scale_changes_no_update(overflowing: str, clip: float | None) -> None:
    weights = []
    for scaled in (False, True):
        optimizer = partial(torch.optim.SGD, lr=0.1)
        module = trained(
            scaled,
            loss=Overflowing(overflowing),
            gradient_clip_norm=clip,
            generator_optimizer=optimizer,
            discriminator_optimizer=optimizer,
        )
        weights.append(module.state_dict())
        assert module.steps == {"generator": 10, "discriminator": 10}
    torch.testing.assert_close(weights[1], weights[0], rtol=1e-6, atol=1e-7)
    assert all(bool(each.isfinite().all()) for each in weights[1].values())


def test_16_bits_train_weights_of_32() -> None:
    """With autocast the weights and the penalty stay in fp32, and the weights end near those of fp32."""
    ends = []
    for precision in ("32-true", "bf16-mixed"):
        module = gan(penalty=Watched(weight=5.0, every=2), ema=0.5)
        torch.manual_seed(3)
        trainer(max_epochs=4, precision=precision).fit(module, loader())
        ends.append({name: value for name, value in module.state_dict().items() if value.is_floating_point()})
        assert all(value.dtype == torch.float32 for value in ends[-1].values())
        assert isinstance(module.penalty, Watched)
        assert module.penalty.seen == {torch.float32}
    torch.testing.assert_close(ends[1], ends[0], atol=0.03, rtol=0.05)
    assert any(not torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


class Watched(R1):
    """Notes in which type its slopes are computed."""

    def __init__(self, weight: float, every: int) -> None:
        super().__init__(weight, every)
        self.seen: set[torch.dtype] = set()

    def penalty(self, discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        self.seen.add(discriminator(real).dtype)
        return super().penalty(discriminator, real, fake)


def test_clipping_is_refused_where_the_optimizer_unscales_by_itself() -> None:
    fused = partial(torch.optim.Adam, lr=0.01, fused=True)
    with pytest.raises(UserError, match="Set fused: false"):
        trained(True, gradient_clip_norm=0.1, generator_optimizer=fused, discriminator_optimizer=fused)
