import itertools
import math

import numpy as np
import scipy.special
import scipy.stats
import torch

from lightning_vi.likelihoods import Bernoulli


def test_nll_is_scipys_summed_over_the_dimensions() -> None:
    torch.manual_seed(0)
    outputs = 2 * torch.randn(6, 5, dtype=torch.float64)
    targets = torch.randint(2, (6, 5)).double()
    truth = -scipy.stats.bernoulli.logpmf(targets.numpy(), scipy.special.expit(outputs.numpy())).sum(-1)
    np.testing.assert_allclose(Bernoulli().nll(outputs, targets).numpy(), truth, rtol=1e-12)


def test_probabilities_of_all_binary_vectors_sum_to_one() -> None:
    torch.manual_seed(0)
    targets = torch.tensor(list(itertools.product([0.0, 1.0], repeat=6)), dtype=torch.float64)
    outputs = torch.randn(6, dtype=torch.float64).expand(64, 6)
    torch.testing.assert_close((-Bernoulli().nll(outputs, targets)).exp().sum(), torch.tensor(1.0).double())


def test_far_logits_and_grey_targets_give_finite_values_and_gradients() -> None:
    outputs = torch.tensor([[100.0], [-100.0], [100.0], [-100.0], [100.0], [0.0]], requires_grad=True)
    targets = torch.tensor([[0.0], [1.0], [1.0], [0.0], [0.25], [0.25]])
    nll = Bernoulli().nll(outputs, targets)
    torch.testing.assert_close(nll, torch.tensor([100.0, 100.0, 0.0, 0.0, 75.0, math.log(2)]))
    nll.sum().backward()
    assert outputs.grad is not None
    torch.testing.assert_close(outputs.grad, outputs.detach().sigmoid() - targets)


def test_one_output_per_dimension() -> None:
    assert Bernoulli().output_size(784) == 784
