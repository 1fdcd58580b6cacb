"""A variational autoencoder's step against the same step written by hand, and its test likelihood against its products.

Burda's net 784-200-200-50 and back, tanh, minibatches of 100 bits.
"""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.pairs import Row, alternate
from lightning_vi.bounds import ELBO
from lightning_vi.latent_model import LatentModel
from lightning_vi.likelihoods import Bernoulli
from lightning_vi.marginal import evaluate
from lightning_vi.networks import MLP

PIXELS, HIDDEN, LATENTS, BATCH = 784, 200, 50, 100
ROWS, DRAWS = 400, 25


def rows(repeats: int) -> list[Row]:
    """Ours against the reference."""
    torch.manual_seed(0)
    return [step(repeats), *(likelihood(repeats // 4 + 1, dtype) for dtype in (torch.float32, torch.bfloat16))]


def step(repeats: int) -> Row:
    """Zero the gradients, draw, loss, backward, fused Adam; fp32."""
    x = (torch.rand(BATCH, PIXELS) < 0.2).float()
    model, objective = latent_model(), ELBO()
    encoder, decoder = mlp(PIXELS, 2 * LATENTS), mlp(LATENTS, PIXELS)
    ours = torch.optim.Adam(model.parameters(), fused=True)
    theirs = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], fused=True)

    def by_us() -> None:
        ours.zero_grad()
        objective.loss(model.draw(model.encode(x), x, objective.samples), 0.0).backward()
        ours.step()

    def by_hand() -> None:
        theirs.zero_grad()
        mean, log_variance = encoder(x).chunk(2, dim=-1)
        logits = decoder(mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean))
        nll = (F.softplus(logits) - logits * x).sum(dim=-1).mean()
        kl = 0.5 * (log_variance.exp() + mean.square() - 1.0 - log_variance).sum(dim=-1).mean()
        (nll + kl).backward()
        theirs.step()

    times = alternate({"ours": by_us, "reference": by_hand}, repeats)
    return Row("VAE step, written by hand", "784-200-200-50", times["ours"], times["reference"], 1.15)


def likelihood(repeats: int, dtype: torch.dtype) -> Row:
    """Importance samples for 400 images against the decoder's matrix products alone."""
    x = (torch.rand(ROWS, PIXELS) < 0.2).float()
    model = latent_model()
    factors = [torch.randn(size, other).to(dtype) for size, other in layers(LATENTS, PIXELS)]
    inputs = [torch.randn(ROWS, len(factor)).to(dtype) for factor in factors]

    def products() -> list[Tensor]:
        return [a @ b for _ in range(DRAWS) for a, b in zip(inputs, factors, strict=True)]

    def estimate() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            evaluate(model, x, DRAWS)

    times = alternate({"ours": estimate, "reference": products}, repeats)
    name = f"NLL by {DRAWS} draws, {str(dtype).removeprefix('torch.')}, matrix products alone"
    return Row(name, f"{ROWS} images", times["ours"], times["reference"])


def latent_model() -> LatentModel:
    """The model, whose decoder starts nowhere in particular."""
    net = partial(MLP, hidden=[HIDDEN, HIDDEN], activation=nn.Tanh)
    return LatentModel((PIXELS,), net, net, LATENTS, Bernoulli())


def layers(inputs: int, outputs: int) -> list[tuple[int, int]]:
    """Numbers of inputs and outputs of each layer."""
    return [(inputs, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, outputs)]


def mlp(inputs: int, outputs: int) -> nn.Sequential:
    """The same network by PyTorch alone."""
    (a, b), (c, d), (e, f) = layers(inputs, outputs)
    return nn.Sequential(nn.Linear(a, b), nn.Tanh(), nn.Linear(c, d), nn.Tanh(), nn.Linear(e, f))
