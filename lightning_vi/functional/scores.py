from torch import Tensor
from torch.nn import functional

from lightning_vi.errors import UserError


def brier_score(probabilities: Tensor, targets: Tensor) -> Tensor:
    """The Brier score sum_k (p_k - 1[y = k])^2 of each prediction: 0 is perfect, 2 is certain and wrong.

    Args:
        probabilities: (B, K), summing to one over the K classes.
        targets: (B,) class indices, int64.

    Returns:
        (B,)

    Raises:
        UserError: if the shapes do not fit.

    References:
        Brier 1950, Verification of Forecasts Expressed in Terms of Probability, equation 2.
    """
    if targets.shape != probabilities.shape[:-1]:
        raise UserError(
            f"brier_score: targets of shape {tuple(targets.shape)} do not fit probabilities of shape "
            f"{tuple(probabilities.shape)}. Give one class index per row."
        )
    truth = functional.one_hot(targets, probabilities.shape[-1])
    return (probabilities - truth).square().sum(dim=-1)
