"""Two processes train what one trains with the same global batch, and each has noise of its own."""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from torch import nn

from lightning_vi.estimators import Estimator, Flipout, LocalReparameterisation, WeightSampling
from lightning_vi.modules import BayesByBackprop
from lightning_vi.networks import MLP
from lightning_vi.priors import Gaussian, Prior, ScaleMixture
from tests.devices import Noted, OneDraw, all_cases, bayes, figures, fit, gan, vae, weights, z_scores


class Runs(NamedTuple):
    """What one process has noted, what each of two has, and a checkpoint that two have saved inside an epoch."""

    one: dict[str, Noted]
    two: list[dict[str, Noted]]
    inside: Path


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder = tmp_path_factory.mktemp("devices")
    two = folder / "two" / "noted"
    two.parent.mkdir()
    command = [sys.executable, "-m", "tests.devices", "2", str(two)]
    with subprocess.Popen(command, cwd=Path(__file__).parent.parent, stderr=subprocess.PIPE, text=True) as process:
        one = all_cases(1, folder / "one")  # meanwhile
        _, messages = process.communicate(timeout=300)
    assert process.returncode == 0, messages
    return Runs(one, [json.loads(Path(f"{two}.{rank}").read_text()) for rank in range(2)], two.with_name("inside.ckpt"))


@pytest.mark.parametrize("case", ["bayes", "accumulated", "ensemble", "vae", "gan"])
def test_two_processes_train_the_weights_of_one(case: str, runs: Runs) -> None:
    """KL weights, a last minibatch that leaves a device nothing and, accumulated, a last step of one minibatch."""
    for noted in runs.two:
        np.testing.assert_allclose(noted[case]["weights"], runs.one[case]["weights"], rtol=1e-10, atol=1e-12)
    assert runs.two[0][case]["weights"] == runs.two[1][case]["weights"]


@pytest.mark.parametrize("case", ["bayes", "accumulated", "ensemble", "vae", "gan"])
def test_figures_of_an_epoch_are_those_of_one_process(case: str, runs: Runs) -> None:
    for noted in runs.two:
        assert noted[case]["figures"] == pytest.approx(runs.one[case]["figures"], rel=1e-6)


# Two devices draw other latent variables.
ROOM = {"vae": {"test/nll": 0.02, "test/nll_se": 0.005, "test/elbo": 0.02, "test/reconstruction": 0.02}}


@pytest.mark.parametrize("case", ["bayes", "ensemble", "vae", "gan"])
def test_scores_of_ragged_shards_are_those_of_one_process(case: str, runs: Runs) -> None:
    expected = runs.one[case]["scores"]
    for noted in runs.two:
        assert noted[case]["scores"].keys() == expected.keys()
        for name, value in noted[case]["scores"].items():
            room = ROOM.get(case, {}).get(name, 0.0)
            assert value == pytest.approx(expected[name], rel=1e-6, abs=max(room, 1e-7)), name


@pytest.mark.parametrize(("case", "ratio"), [("bayes", 0.5), ("vae", 1.0), ("gan", 1.0)])
def test_gradients_with_noise_of_each_devices_own_have_the_same_expectation(
    case: str, ratio: float, runs: Runs
) -> None:
    """And, of weights, half the variance, since two draws are averaged; latent variables are drawn for each example."""
    one, two = (np.array(noted[f"gradients of {case}"]["epochs"]) for noted in (runs.one, runs.two[0]))
    assert np.abs(z_scores(one, two)).max() < 5.0
    assert two.var(axis=0).sum() / one.var(axis=0).sum() == pytest.approx(ratio, rel=0.35)


@pytest.mark.parametrize("case", ["bayes", "vae", "gan"])
def test_each_device_has_noise_of_its_own(case: str, runs: Runs) -> None:
    assert not set(runs.two[0][case]["noise"]) & set(runs.two[1][case]["noise"])


def test_batch_normalisation_keeps_both_networks_alike(runs: Runs) -> None:
    first, second = (noted["normalised gan"] for noted in runs.two)
    assert first == second
    assert first["steps"] == runs.one["normalised gan"]["steps"] == {"generator": 21, "discriminator": 42}
    assert "Set --trainer.strategy ddp_find_unused_parameters_true" in first["refused"][0]
    assert "one example cannot be normalised (examples of the last one: 1; devices: 2)" in first["refused"][1]


def test_a_checkpoint_is_written_by_one_process(runs: Runs) -> None:
    assert [noted["bayes"]["files"] for noted in runs.two] == [1, 0]


@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`, callbacks")
def test_one_process_goes_on_inside_an_epoch_of_two(runs: Runs) -> None:
    module, data = bayes()
    run = fit(module, data, callbacks=[OneDraw()], ckpt_path=runs.inside)
    np.testing.assert_allclose(weights(module), runs.one["bayes"]["weights"], rtol=1e-10, atol=1e-12)
    assert figures(run) == pytest.approx(runs.one["bayes"]["figures"], rel=1e-6)


@pytest.mark.parametrize("case", ["vae", "gan"])
def test_each_device_goes_on_with_its_own_noise_and_sums(case: str, runs: Runs) -> None:
    """To the bit: latent variables are drawn from PyTorch's global generator."""
    for each in (noted[f"resumed {case}"] for noted in (runs.one, *runs.two)):
        assert each["resumed weights"] == each["weights"]
        assert each["resumed figures"] == each["figures"]


@pytest.mark.parametrize("prior", [Gaussian(), ScaleMixture()], ids=repr)
@pytest.mark.parametrize("estimator", [WeightSampling(), LocalReparameterisation(), Flipout()], ids=repr)
def test_weights_have_means_and_standard_deviations_to_share_and_nothing_else(
    prior: Prior, estimator: Estimator
) -> None:
    """DDP broadcasts all buffers at each step, and reduces the gradients of all parameters."""
    module = BayesByBackprop(partial(MLP, hidden=[8]), (4,), 3, prior=prior, estimator=estimator)
    assert list(module.buffers()) == []
    assert sorted(name for name, _ in module.named_parameters()) == ["model.mu", "model.rho"]


@pytest.mark.parametrize("module", [vae()[0], gan()[0]], ids=lambda each: type(each).__name__)
def test_latent_models_and_generators_share_the_place_where_they_start(module: nn.Module) -> None:
    assert {name.rpartition(".")[2]: each.numel() for name, each in module.named_buffers()} in (
        {"offset": 64},
        {"offset": 64, "n_averaged": 1},
    )
