"""A step of several accumulated minibatches is that of one large minibatch.

9 minibatches an epoch, the last of a single example: with 2 at a step the last has one, with 4 too.
"""

from functools import partial
from typing import Any

import numpy as np
import pytest
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import GradientAccumulationScheduler

from tests.devices import OneDraw, bayes, figures, fit, gan, gradients, vae, weights, z_scores

SMALL = 157
# Without noise at all, or with the same for all.
MODULES: dict[str, Any] = {"bayes": bayes, "vae": partial(vae, fresh=False)}


def trained(
    name: str, block: int, callbacks: tuple[Callback, ...] = (), **options: Any
) -> tuple[Any, dict[str, float]]:
    module, data = MODULES[name](block=block)
    shared = [OneDraw()] if name == "bayes" else []
    run = fit(module, data, callbacks=[*shared, *callbacks], limit_val_batches=0, **options)
    return weights(module), figures(run)


@pytest.mark.parametrize("accumulated", [2, 4])
@pytest.mark.parametrize("name", MODULES)
def test_weights_and_figures_are_those_of_the_large_minibatch(name: str, accumulated: int) -> None:
    small, small_figures = trained(name, SMALL, accumulate_grad_batches=accumulated)
    large, large_figures = trained(name, SMALL * accumulated)
    np.testing.assert_allclose(small, large, rtol=1e-10, atol=1e-12)
    assert small_figures == pytest.approx(large_figures, rel=1e-6)


@pytest.mark.parametrize("name", MODULES)
def test_a_schedule_changes_the_steps_and_not_the_objective(name: str) -> None:
    """The second epoch has another number of steps."""
    scheduled, noted = trained(name, SMALL, (GradientAccumulationScheduler({0: 2, 1: 9}),), max_epochs=1)
    assert scheduled == pytest.approx(trained(name, 2 * SMALL, max_epochs=1)[0], rel=1e-10)
    _, later = trained(name, SMALL, (GradientAccumulationScheduler({0: 2, 1: 9}),))
    assert later["train/elbo"] == pytest.approx(-later["train/loss"])
    assert noted["train/elbo"] < later["train/elbo"]


@pytest.mark.parametrize("name", ["bayes", "vae"])
def test_with_noise_of_their_own_minibatches_have_the_same_expected_gradient(name: str) -> None:
    make = partial(bayes, lr=0.0, hidden=4) if name == "bayes" else partial(vae, lr=0.0, narrow=False, fresh=False)
    small = gradients(*make(block=SMALL), accumulate_grad_batches=2)["epochs"]
    large = gradients(*make(block=2 * SMALL))["epochs"]
    assert np.abs(z_scores(np.array(small), np.array(large))).max() < 5.0


def test_generators_refuse() -> None:
    with pytest.raises(MisconfigurationException, match="accumulation is not supported for manual optimization"):
        fit(*gan(), accumulate_grad_batches=2)
