import math

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import torch

from lightning_vi.errors import UserError
from lightning_vi.likelihoods import HeteroscedasticGaussian


def test_nll_is_scipys_with_variance_exp_rho() -> None:
    torch.manual_seed(0)
    mean, rho, targets = torch.randn(3, 6, 5, dtype=torch.float64)
    likelihood = HeteroscedasticGaussian()
    assert likelihood.output_size(5) == 10
    nll = likelihood.nll(torch.cat([mean, rho], dim=-1), targets)
    for row in range(6):
        truth = scipy.stats.multivariate_normal(mean[row].numpy(), np.diag(np.exp(rho[row].numpy())))
        assert nll[row].item() == pytest.approx(-truth.logpdf(targets[row].numpy()), rel=1e-12)


def test_density_integrates_to_one_with_the_right_variance() -> None:
    outputs = torch.tensor([[-1.0, 0.8]], dtype=torch.float64)

    def moment(power: int) -> float:
        def integrand(y: float) -> float:
            target = torch.tensor([[y]], dtype=torch.float64)
            return math.exp(-HeteroscedasticGaussian().nll(outputs, target).item()) * (y + 1.0) ** power

        return float(scipy.integrate.quad(integrand, -20.0, 18.0, points=[-1.0])[0])

    assert [moment(0), moment(1), moment(2)] == pytest.approx([1.0, 0.0, math.exp(0.8)], rel=1e-8, abs=1e-9)


def test_moments_of_samples() -> None:
    torch.manual_seed(0)
    outputs = torch.tensor([[2.0, -3.0, -1.0, 1.0]], dtype=torch.float64).expand(40_000, 4)
    samples = HeteroscedasticGaussian()(outputs).sample()
    variance = torch.tensor([-1.0, 1.0], dtype=torch.float64).exp()
    z_mean = (samples.mean(0) - torch.tensor([2.0, -3.0])) / (variance / 40_000).sqrt()
    z_variance = (samples.var(0) / variance - 1) / math.sqrt(2 / 40_000)
    assert z_mean.abs().max() < 5
    assert z_variance.abs().max() < 5


def test_an_odd_number_of_outputs_is_refused() -> None:
    with pytest.raises(UserError, match=r"HeteroscedasticGaussian: outputs \(=3\) must be an even number"):
        HeteroscedasticGaussian()(torch.zeros(2, 3))
