r"""Test likelihoods of latent variable models, by importance sampling.

.. math:: -\log p(x) \approx -\log \frac1K \sum_{i=1}^K \frac{p(x, h_i)}{q(h_i \mid x)}, \qquad h_i \sim q(h \mid x).

In expectation the estimate lies above -log p(x), by less the larger K is: a figure is only comparable at the same K.

References:
    Burda, Grosse, Salakhutdinov 2016, Importance Weighted Autoencoders, section 5 (K = 5000).
"""

from typing import NamedTuple

import torch
from torch import Tensor

from lightning_vi.errors import UserError
from lightning_vi.functional.importance import log_mean_exp
from lightning_vi.latent_model import LatentModel

# Outputs of a decoder at once, of all draws and examples together: what stays in a processor's cache (ten times as many
# take twice as long for each), or enough to fill a GPU.
OUTPUTS = {"cpu": 300_000}
MANY_OUTPUTS = 160_000_000


class Evaluation(NamedTuple):
    """What K draws say of B examples; all in nats.

    Attributes:
        nll: Estimate of -log p(x), shape (B,).
        elbo: Evidence lower bound, shape (B,), with the last layer's KL in closed form.
        reconstruction: E_q[-log p(x | h_1)], shape (B,).
        kl: For each layer, per latent variable: (B, D_l).
        means: For each layer, of q(h_l | x): (B, D_l).
        means_variance: Of these, by the finite number of draws: (B, D_l); 0 for the first layer, and for one draw.
    """

    nll: Tensor
    elbo: Tensor
    reconstruction: Tensor
    kl: tuple[Tensor, ...]
    means: tuple[Tensor, ...]
    means_variance: tuple[Tensor, ...]


@torch.no_grad()
def evaluate(model: LatentModel, inputs: Tensor, draws: int, generator: torch.Generator | None = None) -> Evaluation:
    """Estimate log p(x) and the evidence lower bound.

    Args:
        model: The model.
        inputs: Shape (B, *input_shape).
        draws: K.
        generator: Of the noise, on the model's device; by default PyTorch's global one.

    Raises:
        UserError: If there are no draws.
    """
    if draws < 1:
        raise UserError(f"draws (={draws}) must be at least 1.")
    outputs = OUTPUTS.get(inputs.device.type, MANY_OUTPUTS)
    blocks = inputs.split(max(1, outputs // len(model.offset)))
    return _joined([_evaluate(model, block, draws, outputs, generator) for block in blocks])


def _joined(parts: list[Evaluation]) -> Evaluation:
    """The evaluation of all examples of some evaluations."""
    nll, elbo, reconstruction, *layers = zip(*parts, strict=True)
    return Evaluation(
        torch.cat(nll),
        torch.cat(elbo),
        torch.cat(reconstruction),
        *(tuple(torch.cat(each) for each in zip(*figure, strict=True)) for figure in layers),
    )


def _evaluate(
    model: LatentModel, inputs: Tensor, draws: int, outputs: int, generator: torch.Generator | None
) -> Evaluation:
    targets = inputs.flatten(start_dim=1)
    encoded = model.encode(inputs)
    at_once = max(1, outputs // max(1, len(inputs) * len(model.offset)))
    log_weights, log_likelihoods = [], encoded.mean.new_zeros(len(inputs))
    kl = [encoded.mean.new_zeros(len(inputs), size) for size in model.sizes]
    means, squares = ([torch.zeros_like(each) for each in kl] for _ in range(2))
    for first in range(0, draws, at_once):
        count = min(at_once, draws - first)
        drawn = model.draw(encoded, targets, count, generator=generator)
        log_weights.append(drawn.log_weights)
        log_likelihoods += drawn.log_likelihood.sum(dim=0)
        for number, layer in enumerate(drawn.layers):
            kl[number] += layer.kl.expand_as(layer.latents).sum(dim=0)
            mean = layer.mean.expand_as(layer.latents)
            means[number] += mean.sum(dim=0)
            squares[number] += mean.square().sum(dim=0)
    reconstruction = -log_likelihoods / draws
    kl = [each / draws for each in kl]
    elbo = -reconstruction - sum(each.sum(dim=-1) for each in kl)
    return Evaluation(
        nll=-log_mean_exp(torch.cat(log_weights)),
        elbo=elbo,
        reconstruction=reconstruction,
        kl=tuple(kl),
        means=tuple(each / draws for each in means),
        means_variance=tuple(
            ((square - mean.square() / draws).clamp(min=0.0) / max(1, draws * (draws - 1))) * (number > 0 and draws > 1)
            for number, (mean, square) in enumerate(zip(means, squares, strict=True))
        ),
    )
