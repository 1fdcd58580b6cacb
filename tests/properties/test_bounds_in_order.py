"""ELBO <= IWAE_k <= log p(x) in a linear Gaussian model whose log p(x) is known, for any q."""

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_vi.bounds import ELBO
from lightning_vi.functional.importance import log_mean_exp
from tests.ppca import bound, data, exact_log_prob, head, ppca

OFFSETS = st.lists(st.floats(-1.5, 1.5), min_size=4, max_size=4)


@settings(max_examples=5)
@given(OFFSETS, st.integers(2, 30))
def test_bounds_are_in_order(offsets: list[float], k: int) -> None:
    model, x = ppca(), data()
    with torch.no_grad():
        head(model.encoders[0]).bias.add_(torch.tensor(offsets, dtype=torch.float64))
    truth = exact_log_prob(model, x).mean()
    (elbo, elbo_error), (iwae, iwae_error) = (bound(model, x, draws, 400) for draws in (1, k))
    assert elbo <= iwae + 5.0 * math.hypot(elbo_error, iwae_error) + 1e-9
    assert iwae <= truth + 5.0 * iwae_error + 1e-9
    drawn = model.draw(model.encode(x), x, k)
    loss = ELBO(k, analytic_kl=False).loss(drawn, epochs=0.0)
    torch.testing.assert_close(-loss, drawn.log_weights.mean())
    # Of the same draws, and so without noise.
    assert bool(drawn.log_weights.mean() <= log_mean_exp(drawn.log_weights).mean() + 1e-9)
