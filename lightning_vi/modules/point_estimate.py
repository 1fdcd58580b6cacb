"""The ordinary way to train a network: one value for each weight, by maximum likelihood."""

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor
from torch.optim import SGD

from lightning_vi.likelihoods import Categorical, Likelihood
from lightning_vi.modules.supervised import Batch, SupervisedModule, build_network
from lightning_vi.networks import Network
from lightning_vi.objectives import Epoch, Objective, expected_nll
from lightning_vi.predictive import Predictive


class PointEstimate(SupervisedModule):
    """A classifier or regressor without uncertainty about its weights: SGD, dropout, dropconnect; the net decides.

    See :class:`SupervisedModule` for what is logged; the loss is the mean NLL, and there is no ELBO.

    Args:
        net: A class or function of ``(input_shape, output_size)``, or a network as it is.
        input_shape: Shape of one input, without the batch.
        target_size: Number of classes, or dimension of the target.
        likelihood: p(y | f(x)), by default ``Categorical()``.
        optimizer: Takes the parameters and gives an optimizer.
        lr_scheduler: Takes the optimizer and gives a scheduler, which steps once per epoch.
    """

    def __init__(
        self,
        net: Network,
        input_shape: tuple[int, ...],
        target_size: int,
        likelihood: Likelihood | None = None,
        optimizer: OptimizerCallable = SGD,
        lr_scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        likelihood = Categorical() if likelihood is None else likelihood
        super().__init__(input_shape, target_size, likelihood, optimizer, lr_scheduler)
        self.model = build_network(net, input_shape, target_size, likelihood)

    def objective(self, batch: Batch, batch_idx: int, epoch: Epoch) -> Objective:
        """The minibatch's part of the mean NLL."""
        inputs, targets = batch
        nll = expected_nll(self.likelihood, self.model(inputs).unsqueeze(0), targets, epoch)
        return Objective(nll, torch.zeros_like(nll))

    @property
    def minimised(self) -> str:
        """See :attr:`SupervisedModule.minimised`."""
        return "NLL"

    def training_figures(self, loss: Tensor, nll: Tensor, kl: Tensor) -> dict[str, Tensor]:
        """The loss alone: without a distribution of the weights there is no KL and no ELBO."""
        return {"loss": loss, "nll": nll}

    @torch.no_grad()
    def predictive(self, inputs: Tensor) -> Predictive:
        """p(y | x) of the one network."""
        return Predictive(self.likelihood, self.model(inputs).unsqueeze(0))
