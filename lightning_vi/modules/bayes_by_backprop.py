"""Bayes by Backprop: stochastic gradient descent on the negative evidence lower bound of a network's weights."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.strategies import ParallelStrategy
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Adam

from lightning_vi.bayesian import BayesianModule
from lightning_vi.errors import UserError, require_at_least
from lightning_vi.estimators import Estimator, WeightSampling
from lightning_vi.likelihoods import Categorical, Likelihood
from lightning_vi.modules.compilation import compile_where_it_pays
from lightning_vi.modules.supervised import Batch, SupervisedModule, build_network
from lightning_vi.networks import Network
from lightning_vi.objectives import Epoch, Objective, negative_elbo
from lightning_vi.posteriors import FactorisedGaussian, SoftplusVariance
from lightning_vi.predictive import Drawn, Draws, drawn_networks
from lightning_vi.priors import Gaussian, PriorRule
from lightning_vi.weighting import Uniform, Weighting


class BayesByBackprop(SupervisedModule):
    """A Bayesian classifier or regressor: the likelihood decides. See :class:`SupervisedModule` for what is logged.

    ``val`` and ``test`` scores are those of the predictive distribution, probabilities averaged over weight draws;
    ``error_mean`` (or ``rmse_mean``) is that of the single network at the posterior mean.

    Args:
        net: A class or function of ``(input_shape, output_size)``, or a network as it is, whose parameters then
            give the initial means.
        input_shape: Shape of one input, without the batch.
        target_size: Number of classes, or dimension of the target.
        likelihood: p(y | f(x)), by default ``Categorical()``; its own parameters, if any, are trained as they are.
        prior: Density of each weight, by default N(0, 1); or a rule that gives parameters different ones.
        posterior: How rho gives sigma; by default the lecture's sigma^2 = log(1 + e^rho).
        weighting: Share of the KL term that each minibatch of an epoch takes; by default 1/M.
        temperature: T > 0, which the KL counts times. At another than 1 the loss is not the negative ELBO:
            ``train/tempered_not_elbo`` is logged in place of ``train/elbo``, ``train/nll`` and ``train/kl`` as ever.
        estimator: How gradients are drawn; by default one draw of the weights per step.
        bayesian: Regular expression for the names of the parameters to treat as random; the others stay
            deterministic.
        draws: Weight draws of the predictive distribution, for testing and predicting.
        val_draws: The same for the validation that recurs during training.
        optimizer: Takes the parameters and gives an optimizer.
        lr_scheduler: Takes the optimizer and gives a scheduler, which steps once per epoch.
        compile: Whether to compile the loops that draw weights; ``auto`` does so where training is long enough.

    References:
        Blundell, Cornebise, Kavukcuoglu and Wierstra (2015), Weight Uncertainty in Neural Networks. ICML.
    """

    single = "mean"
    draws: int
    val_draws: int

    def __init__(
        self,
        net: Network,
        input_shape: tuple[int, ...],
        target_size: int,
        likelihood: Likelihood | None = None,  # a module has state, so each model makes its own
        prior: PriorRule = Gaussian(sigma=1.0),  # these have none, and the command line shows what stands here
        posterior: FactorisedGaussian = SoftplusVariance(initial_sigma=0.0067),
        weighting: Weighting = Uniform(),
        temperature: float = 1.0,
        estimator: Estimator = WeightSampling(samples=1),
        bayesian: str = ".*",
        draws: int = 100,
        val_draws: int = 5,
        optimizer: OptimizerCallable = Adam,
        lr_scheduler: LRSchedulerCallable | None = None,
        compile: bool | Literal["auto"] = "auto",
    ) -> None:
        likelihood = Categorical() if likelihood is None else likelihood
        super().__init__(input_shape, target_size, likelihood, optimizer, lr_scheduler)
        require_at_least("BayesByBackprop", 1, draws=draws, val_draws=val_draws)
        if not 0.0 < temperature < math.inf:
            raise UserError(f"BayesByBackprop: temperature (={temperature}) must be > 0 and finite; 1 is the ELBO.")
        self.model = BayesianModule(
            build_network(net, input_shape, target_size, likelihood),
            prior,
            posterior,
            bayesian,
        )
        self.weighting = weighting
        self.temperature = temperature
        self.estimator = estimator
        self.draws = draws
        self.val_draws = val_draws
        self.compile_draws = compile

    @property
    def weights(self) -> int:
        """Number of weights of the network: a random one has two parameters, and counts once."""
        return super().weights - self.model.rho.numel()

    def setup(self, stage: str) -> None:
        """Give every device training noise of its own, and the same for evaluation."""
        self.model.noise.seed = self.trainer.strategy.broadcast(self.model.noise.seed)
        self.model.noise.stream = self.global_rank
        strategy = self.trainer.strategy
        converts = isinstance(strategy, ParallelStrategy) and strategy._layer_sync is not None
        if converts and any(isinstance(module, _BatchNorm) for module in self.model.random_modules):
            raise UserError(
                "BayesByBackprop: trainer.sync_batchnorm (=true) would replace layers with random weights. Leave it "
                "out and give a network that torch.nn.SyncBatchNorm.convert_sync_batchnorm has made, or keep them "
                "deterministic by `bayesian`."
            )

    def on_fit_start(self) -> None:
        """Compile the loops over the weights where that pays."""
        if self.compile_draws is not False:
            always = self.compile_draws is True
            compile_where_it_pays(
                self.model, self.trainer, self.estimator.samples, always, " (compile: false does not)"
            )

    def objective(self, batch: Batch, batch_idx: int, epoch: Epoch) -> Objective:
        """The negative ELBO's part of a minibatch. See :func:`negative_elbo`."""
        inputs, targets = batch
        estimate = self.estimator(self.model, inputs)
        share = epoch.share(self.weighting, batch_idx)
        return negative_elbo(estimate, self.likelihood, targets, share, epoch, self.temperature)

    @property
    def minimised(self) -> str:
        """See :attr:`SupervisedModule.minimised`."""
        return super().minimised if self.temperature == 1.0 else f"NLL + {self.temperature:g} KL, not the ELBO"

    def training_figures(self, loss: Tensor, nll: Tensor, kl: Tensor) -> dict[str, Tensor]:
        """See :meth:`SupervisedModule.training_figures`; a tempered loss is not logged as a bound."""
        if self.temperature == 1.0:
            return super().training_figures(loss, nll, kl)
        return {"loss": loss, "nll": nll, "kl": kl, "tempered_not_elbo": -loss}

    def state_around(self, state: Mapping[str, Tensor]) -> dict[str, Any]:
        """This model's state with what a point estimate of the same network has learned, which becomes the means.

        Args:
            state: State of a :class:`PointEstimate`.

        Raises:
            UserError: If the networks differ.
        """
        net = {name.removeprefix("model."): each for name, each in state.items() if name.startswith("model.")}
        others = {name: each for name, each in state.items() if not name.startswith("model.")}
        return {**{f"model.{name}": each for name, each in self.model.state_around(net).items()}, **others}

    @property
    def can_draw(self) -> bool:
        """See :meth:`SupervisedModule.can_draw`."""
        return True

    def drawn(self, draws: Draws, seed: int | None = None) -> Iterator[Drawn]:
        """See :meth:`SupervisedModule.drawn`."""
        return drawn_networks(self.model, draws, seed)
