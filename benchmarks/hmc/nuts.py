r"""The No-U-Turn sampler of NumPyro, on the joint density of a network's weights and the training targets.

.. math:: \log p(W, y \mid x) = \sum_i \log p(w_i) + \sum_n \log p(y_n \mid f_W(x_n))

The density is written in NumPyro's own terms, from the shapes of the network alone, so that the sampler shares no
formula with what it is compared with. A draw has the names and shapes of the network's parameters.

References:
    Hoffman, Gelman 2014, The No-U-Turn Sampler.
    Phan, Pradhan, Jankowiak 2019, Composable Effects for Flexible and Accelerated Probabilistic Programming in NumPyro.
    Gelman et al. 2013, Bayesian Data Analysis, sections 11.4 and 11.5 (split R-hat, effective number of draws).
"""

import time
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import jax
import numpyro
import torch
from jax import numpy as jnp
from numpyro import distributions as dist
from numpyro.diagnostics import effective_sample_size, split_gelman_rubin
from numpyro.infer import MCMC, NUTS
from numpyro.infer.util import log_density
from torch import Tensor
from torch.func import functional_call, vmap

from benchmarks.hmc.problems import Problem
from lightning_vi.likelihoods import Categorical, Gaussian

_DEPTH = 8  # at most 255 gradients for a draw; side by side, all chains wait for the longest trajectory
_AT_ONCE = 100  # draws whose hidden units are in memory together


class Chains(NamedTuple):
    """What the sampler gives.

    Attributes:
        weights: Parameter name to draws (C, S, *shape), S of each of C chains.
        divergences: Number of draws whose trajectory diverged.
        acceptance: Mean acceptance probability.
        steps: Mean number of gradients for a draw.
        seconds: Wall time, warm-up and compilation included.
    """

    weights: dict[str, Tensor]
    divergences: int
    acceptance: float
    steps: float
    seconds: float


class Convergence(NamedTuple):
    """The worst of several numbers that the chains should agree on.

    Attributes:
        r_hat: Largest split R-hat; 1 if the chains, and their halves, cannot be told apart.
        effective: Smallest number of independent draws that would be as good.
    """

    r_hat: float
    effective: float


def sample(problem: Problem, chains: int, warmup: int, samples: int) -> Chains:
    """Run chains from overdispersed starts, side by side."""
    start = time.monotonic()
    mcmc = MCMC(
        NUTS(partial(_model, problem), max_tree_depth=_DEPTH),
        num_warmup=warmup,
        num_samples=samples,
        num_chains=chains,
        chain_method="vectorized",
        progress_bar=False,
    )
    mcmc.run(jax.random.key(0), *_arrays(problem), extra_fields=("diverging", "accept_prob", "num_steps"))
    draws, fields = (jax.device_get(each) for each in (mcmc.get_samples(group_by_chain=True), mcmc.get_extra_fields()))
    return Chains(
        {name: torch.from_numpy(draw.copy()) for name, draw in draws.items()},
        divergences=int(fields["diverging"].sum()),
        acceptance=float(fields["accept_prob"].mean()),
        steps=float(fields["num_steps"].mean()),
        seconds=time.monotonic() - start,
    )


def outputs(problem: Problem, chains: Chains, inputs: Tensor) -> Tensor:
    """The package's network under all draws, for inputs (B, D): shape (C, S, B, K)."""
    network, weights = problem.new_network(), {name: draws.flatten(0, 1) for name, draws in chains.weights.items()}
    with torch.no_grad():
        found = vmap(lambda draw: functional_call(network, draw, (inputs,)), chunk_size=_AT_ONCE)(weights)
    by_chain: Tensor = found.unflatten(0, next(iter(chains.weights.values())).shape[:2])
    return by_chain


def log_joint(problem: Problem, weights: Mapping[str, Tensor]) -> float:
    """Log p(W, y | x) in nats, in float64, at weights of the network's names and shapes."""
    with jax.enable_x64(True):
        values = {name: jnp.asarray(value.numpy(), dtype=float) for name, value in weights.items()}
        density = jax.jit(lambda at: log_density(partial(_model, problem), _arrays(problem), {}, at)[0])
        return float(density(values))


def convergence(values: Tensor) -> Convergence:
    """Whether chains agree on functions of the weights, which are not identified themselves; values (C, S, P)."""
    array = values.double().numpy()
    return Convergence(float(split_gelman_rubin(array).max()), float(effective_sample_size(array).min()))


def _arrays(problem: Problem) -> tuple[jax.Array, jax.Array]:
    inputs, targets = problem.training.tensors
    number = int if targets.dtype == torch.int64 else float
    return jnp.asarray(inputs.numpy(), dtype=float), jnp.asarray(targets.numpy(), dtype=number)


def _model(problem: Problem, inputs: jax.Array, targets: jax.Array) -> None:
    prior, units = dist.Normal(problem.prior.mean, problem.prior.sigma), inputs
    for number, width in enumerate(problem.hidden, start=1):
        units = jnp.tanh(_layer(f"linear{number}", units, width, prior))
    outputs = _layer("output", units, problem.likelihood.output_size(problem.target_size), prior)
    numpyro.sample("targets", _distribution(problem, outputs), obs=targets)


def _layer(name: str, units: jax.Array, width: int, prior: dist.Normal) -> jax.Array:
    weight = numpyro.sample(f"{name}.weight", prior.expand([width, units.shape[1]]).to_event(2))
    bias = numpyro.sample(f"{name}.bias", prior.expand([width]).to_event(1))
    return units @ weight.T + bias


def _distribution(problem: Problem, outputs: jax.Array) -> dist.Distribution:
    if isinstance(problem.likelihood, Categorical):
        return dist.Categorical(logits=outputs)
    assert isinstance(problem.likelihood, Gaussian)
    return dist.Normal(outputs, problem.likelihood.sigma.item()).to_event(1)
