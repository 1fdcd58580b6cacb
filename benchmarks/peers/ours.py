"""This project's complexity term, measured like the others'."""

from torch import Tensor

from benchmarks.peers.complexity import Term
from benchmarks.peers.setting import BATCH, EXAMPLES, LARGE, SMALL, gaussian_prior, minibatch, mixture_prior
from benchmarks.step import PRIORS
from lightning_vi.bayesian import BayesianModule
from lightning_vi.estimators import WeightSampling
from lightning_vi.likelihoods import Categorical
from lightning_vi.networks import MLP
from lightning_vi.objectives import Epoch, negative_elbo
from lightning_vi.posteriors import SoftplusScale


def terms() -> list[Term]:
    """Both priors of the measured steps."""
    batches = -(-EXAMPLES // BATCH)
    epoch = Epoch(EXAMPLES, EXAMPLES, batches)
    result = []
    for name, prior, widths, draws in (
        ("Gaussian prior", gaussian_prior(), LARGE, 1),
        ("scale mixture", mixture_prior(), SMALL, 2000),
    ):
        x, y = minibatch(widths)
        model = BayesianModule(MLP((widths[0],), widths[-1], widths[1:-1]), PRIORS[name][0], SoftplusScale())

        def added(model: BayesianModule = model, x: Tensor = x, y: Tensor = y) -> Tensor:
            return negative_elbo(WeightSampling()(model, x), Categorical(), y, 1 / batches, epoch).kl

        def posterior(model: BayesianModule = model) -> list[tuple[Tensor, Tensor]]:
            return [(model.mu, model.posterior.sigma(model.rho))]

        reason = "sum over all weights, divided by N"
        result.append(Term(f"lightning-vi, {name}", added, posterior, model, prior, widths, reason, draws))
    return result
