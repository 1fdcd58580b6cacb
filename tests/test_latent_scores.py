import math

import pytest
import torch

from lightning_vi.latent_scores import LatentScores
from lightning_vi.marginal import Evaluation

SIZES = (3, 2)


def evaluation(size: int = 40) -> Evaluation:
    means = torch.randn(size, 3) * torch.tensor([1.0, 0.05, 0.2]), torch.randn(size, 2) * torch.tensor([0.0, 3.0])
    kl = torch.rand(size, 3), torch.rand(size, 2)
    reconstruction = 80 + torch.randn(size)
    elbo = -reconstruction - kl[0].sum(dim=-1) - kl[1].sum(dim=-1)
    none = tuple(torch.zeros_like(each) for each in means)
    return Evaluation(-elbo - torch.rand(size), elbo, reconstruction, kl, means, none)


def part(whole: Evaluation, rows: slice) -> Evaluation:
    nll, elbo, reconstruction, *layers = whole
    return Evaluation(nll[rows], elbo[rows], reconstruction[rows], *(tuple(k[rows] for k in each) for each in layers))


def test_scores_are_those_of_all_examples_however_they_are_cut() -> None:
    whole = evaluation()
    scores = LatentScores(SIZES, dimensions=64)
    for rows in (slice(0, 7), slice(7, 8), slice(8, 40)):
        scores.update(part(whole, rows))
    found = scores.compute()
    assert {name: float(value) for name, value in found.scores.items()} == pytest.approx(
        {
            "nll": float(whole.nll.mean()),
            "nll_se": float(whole.nll.std()) / math.sqrt(40),
            "elbo": float(whole.elbo.mean()),
            "reconstruction": float(whole.reconstruction.mean()),
            "kl": float(whole.kl[0].sum(dim=-1).mean() + whole.kl[1].sum(dim=-1).mean()),
            "active_units": 2,  # standard deviations 1 and 0.2 exceed 0.1, 0.05 does not
            "active_units_2": 1,
        },
        rel=1e-5,
    )
    for units, kl, means in zip(found.units, whole.kl, whole.means, strict=True):
        torch.testing.assert_close(units.kl, kl.mean(dim=0))
        torch.testing.assert_close(units.variance, means.var(dim=0, correction=0), rtol=1e-4, atol=1e-6)
    scores.reset()
    scores.update(part(whole, slice(0, 10)))
    assert scores.compute().scores["nll"] == pytest.approx(float(whole.nll[:10].mean()))


def test_bits_per_dimension_of_dequantised_data() -> None:
    """A density of 1 on [0, 1) says nothing of 256 levels, 8 bits for each pixel; one of 2 on half of it 7 bits."""
    for density, bits in ((1.0, 8.0), (2.0, 7.0)):
        scores = LatentScores((2,), dimensions=64, levels=256)
        nll = torch.full((5,), -64 * math.log(density))
        kl = (torch.zeros(5, 2),)
        scores.update(Evaluation(nll, -nll, nll, kl, kl, kl))
        found = scores.compute().scores
        assert found["bits_per_dim"] == pytest.approx(bits)
        assert found["bits_per_dim_median"] == pytest.approx(bits)
