"""The ordinary way to train a network: one value for each weight, by maximum likelihood."""

from collections.abc import Iterator

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor
from torch.optim import SGD

from lightning_vi.errors import require_at_least
from lightning_vi.likelihoods import Categorical, Likelihood
from lightning_vi.mc_dropout import MaskedNetwork, has_dropout, require_dropout
from lightning_vi.modules.supervised import Batch, SupervisedModule, build_network
from lightning_vi.networks import Network
from lightning_vi.objectives import Epoch, Objective, expected_nll
from lightning_vi.predictive import Drawn, Draws


class PointEstimate(SupervisedModule):
    """A classifier or regressor by one network: SGD, dropout, dropconnect; the net decides.

    See :class:`SupervisedModule` for what is logged; the loss is the mean NLL, and there is no ELBO.

    A net with dropout predicts with all of its units, unless ``dropout_draws`` asks for Monte Carlo dropout: then its
    scores are those of probabilities averaged over masks, and ``error_mean`` (or ``rmse_mean``) that of all units.

    Args:
        net: A class or function of ``(input_shape, output_size)``, or a network as it is.
        input_shape: Shape of one input, without the batch.
        target_size: Number of classes, or dimension of the target.
        likelihood: p(y | f(x)), by default ``Categorical()``.
        dropout_draws: Masks of dropout that are averaged over, for testing and predicting; None for none.
        val_dropout_draws: The same for the validation that recurs during training, if ``dropout_draws`` is given.
        optimizer: Takes the parameters and gives an optimizer.
        lr_scheduler: Takes the optimizer and gives a scheduler, which steps once per epoch.
    """

    def __init__(
        self,
        net: Network,
        input_shape: tuple[int, ...],
        target_size: int,
        likelihood: Likelihood | None = None,
        dropout_draws: int | None = None,
        val_dropout_draws: int = 5,
        optimizer: OptimizerCallable = SGD,
        lr_scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        likelihood = Categorical() if likelihood is None else likelihood
        if dropout_draws is not None:
            require_at_least("PointEstimate", 1, dropout_draws=dropout_draws, val_dropout_draws=val_dropout_draws)
            self.single = "mean"  # which the scores are made for
        super().__init__(input_shape, target_size, likelihood, optimizer, lr_scheduler)
        self.model = build_network(net, input_shape, target_size, likelihood)
        if dropout_draws is not None:
            require_dropout(self.model)
            self.draws, self.val_draws = dropout_draws, val_dropout_draws

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

    @property
    def can_draw(self) -> bool:
        """See :meth:`SupervisedModule.can_draw`."""
        return has_dropout(self.model)

    def drawn(self, draws: Draws, seed: int | None = None) -> Iterator[Drawn]:
        """See :meth:`SupervisedModule.drawn`; masks of dropout, of the seed 0 by default."""
        if draws == "mean":
            yield lambda inputs: self.model(inputs).unsqueeze(0)
            return
        require_dropout(self.model)
        for draw in range(draws):
            yield MaskedNetwork(self.model, 0 if seed is None else seed, draw)
