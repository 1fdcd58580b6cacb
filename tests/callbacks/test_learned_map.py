from functools import partial
from pathlib import Path

import pytest
import torch
from lightning.pytorch.loggers import CSVLogger
from scipy import stats

from lightning_vi.callbacks import LearnedMap
from lightning_vi.callbacks.learned_map import kolmogorov_smirnov
from lightning_vi.datamodules import Curve, Digits, GaussianMixture
from lightning_vi.errors import UserError
from lightning_vi.modules import GAN
from lightning_vi.networks import MLP
from lightning_vi.noise_priors import Gaussian, Uniform
from tests.bare_trainer import trainer


def test_the_distance_is_scipys() -> None:
    samples = torch.randn(200, generator=torch.Generator().manual_seed(0))
    ours = kolmogorov_smirnov(samples, torch.special.ndtr(samples.double()))
    assert float(ours) == pytest.approx(stats.kstest(samples.numpy(), stats.norm.cdf).statistic, abs=1e-6)


@pytest.mark.parametrize("noise", [Gaussian(1), Uniform(1)], ids=repr)
def test_a_generator_that_is_the_map_has_the_distance_of_exact_draws(noise: Gaussian | Uniform, tmp_path: Path) -> None:
    """The data are what an untrained linear generator makes of its noise."""
    data = GaussianMixture(means=[1.5], sigmas=[2.0], shares=[1.0])
    linear = torch.nn.Linear(1, 1)
    with torch.no_grad():
        linear.weight.fill_(2.0)
        linear.bias.fill_(1.5)
    module = GAN((1,), linear, partial(MLP, hidden=[4]), noise, bounded=False)
    run = trainer(callbacks=[LearnedMap(count=4000)], logger=CSVLogger(tmp_path, name=""))
    run.test(module, data, verbose=False)
    distance = float(run.callback_metrics["test/ks"])
    if isinstance(noise, Gaussian):
        assert distance < 1.63 / 4000**0.5  # the 99 % point
    else:
        x = 1.5 + 2.0 * stats.uniform.ppf(stats.norm.cdf(torch.linspace(-6, 6, 10_001)), -(3**0.5), 2 * 3**0.5)
        true = stats.uniform.cdf((x - 1.5) / 2.0, -(3**0.5), 2 * 3**0.5)
        assert distance == pytest.approx(max(abs(true - stats.norm.cdf(x, 1.5, 2.0))), abs=0.03)
    assert (tmp_path / "version_0" / "figures" / "learned_map.png").is_file()


def test_data_of_unknown_distribution_are_told(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    net = partial(MLP, hidden=[4])
    caplog.set_level("INFO", logger="lightning.pytorch")
    for module, data in (
        (GAN((1, 8, 8), net, net, Gaussian(1)), Digits(seed=0)),
        (GAN((1,), net, net, Gaussian(1)), Curve(seed=0)),
    ):
        caplog.clear()
        run = trainer(callbacks=[LearnedMap()], logger=CSVLogger(tmp_path, name=""))
        run.test(module, data, verbose=False)
        assert "test/ks" not in run.callback_metrics
        assert "LearnedMap logs nothing: it takes one noise variable, and data that are numbers" in caplog.text


def test_a_number_is_needed() -> None:
    with pytest.raises(UserError, match=r"LearnedMap: count \(=0\) must be at least 1"):
        LearnedMap(0)
