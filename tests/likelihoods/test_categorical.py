import math

import numpy as np
import pytest
import scipy.special
import torch
from torch.nn import functional

from lightning_vi.errors import UserError
from lightning_vi.likelihoods import Categorical


def test_nll_is_the_cross_entropy_and_scipys_log_softmax() -> None:
    torch.manual_seed(0)
    outputs = 5 * torch.randn(7, 10, dtype=torch.float64)
    targets = torch.randint(10, (7,))
    nll = Categorical().nll(outputs, targets)
    torch.testing.assert_close(nll, functional.cross_entropy(outputs, targets, reduction="none"))
    truth = -scipy.special.log_softmax(outputs.numpy(), axis=-1)[np.arange(7), targets.numpy()]
    np.testing.assert_allclose(nll.numpy(), truth, rtol=1e-12)


def test_probabilities_sum_to_one_and_far_logits_stay_finite() -> None:
    outputs = torch.tensor([[1000.0, -1000.0, 0.0], [-1000.0, -1000.0, -1000.0]], dtype=torch.float64)
    nll = torch.stack([Categorical().nll(outputs, torch.full((2,), k)) for k in range(3)])
    torch.testing.assert_close(
        nll,
        torch.tensor([[0.0, math.log(3)], [2000.0, math.log(3)], [1000.0, math.log(3)]], dtype=torch.float64),
    )
    torch.testing.assert_close(Categorical()(outputs).probs.sum(-1), torch.ones(2, dtype=torch.float64))


def test_one_output_per_class_and_at_least_two() -> None:
    assert Categorical().output_size(10) == 10
    with pytest.raises(UserError, match=r"Categorical: target_size \(=1\) must be at least 2"):
        Categorical().output_size(1)
