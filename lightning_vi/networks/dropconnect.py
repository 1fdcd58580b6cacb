from torch import Tensor, nn
from torch.nn import functional

from lightning_vi.errors import UserError


class DropConnect(nn.Linear):
    """A linear layer each of whose weights and biases is dropped with probability p while it trains.

    In training mode the layer computes (M * W / (1 - p)) x, with one mask M of independent Bernoulli(1 - p)
    entries for the whole minibatch: a mask for each example, as in the paper, would cost the minibatch's
    size in memory. Biases are masked in the same way. Dividing by 1 - p makes W the mean of the weights
    that train, so that in evaluation mode the layer uses W as it is.

    That is the mean approximation of dropout. The paper's inference differs: it draws the layer's inputs to
    the activation from the Gaussian with the mean and the variance that the mask gives them (its Algorithm
    2) and averages the activations. To average over masks here, keep the layer in training mode and repeat
    the forward pass.

    References:
        Wan, Zeiler, Zhang, LeCun, Fergus 2013, Regularization of Neural Networks using DropConnect.
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True, p: float = 0.5) -> None:
        """A layer from in_features inputs to out_features outputs.

        Args:
            in_features: number of inputs.
            out_features: number of outputs.
            bias: whether there is a bias.
            p: probability that a weight is dropped.

        Raises:
            UserError: unless p lies in [0, 1).
        """
        if not 0.0 <= p < 1.0:
            raise UserError(f"DropConnect: p (={p}) must lie in [0, 1).")
        super().__init__(in_features, out_features, bias)
        self.p = p

    def forward(self, input: Tensor) -> Tensor:
        """Outputs (..., out_features) from inputs (..., in_features)."""
        weight = functional.dropout(self.weight, self.p, self.training)
        bias = None if self.bias is None else functional.dropout(self.bias, self.p, self.training)
        return functional.linear(input, weight, bias)

    def extra_repr(self) -> str:
        """See `torch.nn.Module.extra_repr`."""
        return f"{super().extra_repr()}, p={self.p}"
