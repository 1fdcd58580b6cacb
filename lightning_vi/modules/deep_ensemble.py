r"""Deep ensembles: K networks of one class, from different initial weights, whose probabilities are averaged.

.. math:: p(y^* \mid x^*) = \frac1K \sum_{k=1}^K p(y^* \mid f_{W_k}(x^*)),
          \qquad W_k \text{ minimises } -\frac1N \sum_n \log p(y_n \mid f_{W_k}(x_n)).
"""

from collections.abc import Iterable

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn
from torch.optim import SGD

from lightning_vi.errors import UserError
from lightning_vi.likelihoods import Categorical, Likelihood
from lightning_vi.modules.supervised import Batch, SupervisedModule, build_network
from lightning_vi.networks import Network
from lightning_vi.objectives import Epoch, Objective, expected_nll
from lightning_vi.predictive import Predictive


class DeepEnsemble(SupervisedModule):
    """A classifier or regressor that averages networks trained side by side on the same minibatches.

    The members differ by their initial weights, and by their masks where there is dropout. Each takes the gradient of
    its own mean NLL, as if it were trained alone, unless the trainer clips gradients by their norm, which is that of
    all members together. A likelihood's own parameters, such as a learned noise, are shared by the members; their
    gradient is summed over them.

    See :class:`SupervisedModule` for what is logged. Training figures are means over members. ``error_members`` (or
    ``rmse_members``) is that of the members one by one, over all their predictions.

    Args:
        net: A class or function of ``(input_shape, output_size)``, called once per member.
        input_shape: Shape of one input, without the batch.
        target_size: Number of classes, or dimension of the target.
        members: K.
        likelihood: p(y | f(x)), by default ``Categorical()``.
        optimizer: Takes the parameters and gives an optimizer.
        lr_scheduler: Takes the optimizer and gives a scheduler, which steps once per epoch.

    References:
        Lakshminarayanan, Pritzel and Blundell (2017), Simple and Scalable Predictive Uncertainty Estimation using Deep
        Ensembles. Wan et al. (2013), Regularization of Neural Networks using DropConnect (5 networks on MNIST).
    """

    single = "members"

    def __init__(
        self,
        net: Network,
        input_shape: tuple[int, ...],
        target_size: int,
        members: int = 5,
        likelihood: Likelihood | None = None,
        optimizer: OptimizerCallable = SGD,
        lr_scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        likelihood = Categorical() if likelihood is None else likelihood
        super().__init__(input_shape, target_size, likelihood, optimizer, lr_scheduler)
        if members < 1:
            raise UserError(f"DeepEnsemble: members (={members}) must be at least 1.")
        networks = [build_network(net, input_shape, target_size, likelihood) for _ in range(members)]
        if len(set(networks)) < members:
            raise UserError(
                f"DeepEnsemble: net gives one {type(networks[0]).__name__} for all members, which would stay alike. "
                "Give a class, or a function that makes a new network at each call."
            )
        self.networks = nn.ModuleList(networks)

    def outputs(self, inputs: Tensor) -> Tensor:
        """Outputs (K, B, ...) of the members for inputs (B, ...)."""
        return torch.stack([network(inputs) for network in self.networks])

    def objective(self, batch: Batch, batch_idx: int, epoch: Epoch) -> Objective:
        """The minibatch's part of the mean NLL, averaged over members."""
        inputs, targets = batch
        nll = expected_nll(self.likelihood, self.outputs(inputs), targets, epoch)
        return Objective(nll, torch.zeros_like(nll))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The sum over members, so that each has the gradient of its own NLL."""
        return super().training_step(batch, batch_idx) * len(self.networks)

    def training_figures(self, loss: Tensor, nll: Tensor, kl: Tensor) -> dict[str, Tensor]:
        """The loss alone, as for a point estimate."""
        return {"loss": loss, "nll": nll}

    @torch.no_grad()
    def predictive(self, inputs: Tensor) -> Predictive:
        """p(y | x), averaged over members."""
        return Predictive(self.likelihood, self.outputs(inputs))

    def single_predictives(self, inputs: Tensor, predictive: Predictive) -> Iterable[Predictive]:
        """p(y | x) of each member."""
        for outputs in predictive.outputs.split(1):
            yield Predictive(self.likelihood, outputs)
