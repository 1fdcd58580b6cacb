r"""Deep ensembles: K networks of one architecture, from different initial weights, whose probabilities are averaged.

.. math:: p(y^* \mid x^*) = \frac1K \sum_{k=1}^K p(y^* \mid x^*, q_k),

where member k is a point estimate, or with a `MeanField` a posterior q_k(W) that minimises its own negative ELBO.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol, runtime_checkable

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn
from torch.optim import SGD

from lightning_vi.bayesian import BayesianModule
from lightning_vi.errors import UserError, require_at_least
from lightning_vi.likelihoods import Categorical, Likelihood
from lightning_vi.modules.compilation import compile_where_it_pays
from lightning_vi.modules.member_scores import MemberScores
from lightning_vi.modules.supervised import SPLITS, Batch, SupervisedModule, build_network
from lightning_vi.networks import Network, StackedNetworks
from lightning_vi.noise import NoiseStream
from lightning_vi.objectives import Epoch, Objective, expected_nll
from lightning_vi.posteriors import FactorisedGaussian, SoftplusVariance
from lightning_vi.predictive import Drawn, Draws, Predictive
from lightning_vi.priors import Gaussian, Prior, PriorRule
from lightning_vi.weighting import Uniform, Weighting


class MeanField:
    """What makes the members of an ensemble Bayesian; each trains as `BayesByBackprop` does, by one draw per step.

    Args:
        prior: Density of each weight, or a rule that gives parameters different ones, as for a single network.
        posterior: How rho gives sigma.
        weighting: Share of the KL term that each minibatch of an epoch takes.
        draws: Weight draws of each member's predictive distribution, for testing and predicting.
        val_draws: The same for the validation that recurs during training.
    """

    def __init__(
        self,
        prior: PriorRule = Gaussian(sigma=1.0),
        posterior: FactorisedGaussian = SoftplusVariance(initial_sigma=0.0067),
        weighting: Weighting = Uniform(),
        draws: int = 100,
        val_draws: int = 5,
    ) -> None:
        require_at_least("MeanField", 1, draws=draws, val_draws=val_draws)
        self.prior, self.posterior, self.weighting = prior, posterior, weighting
        self.draws, self.val_draws = draws, val_draws


class _OfMembers(PriorRule):
    """A rule for a network, as one for the networks stacked."""

    def __init__(self, prior: PriorRule) -> None:
        self.prior = prior

    def __repr__(self) -> str:
        return repr(self.prior)

    def assign(self, shapes: Mapping[str, torch.Size]) -> dict[str, Prior]:
        """See :meth:`PriorRule.assign`."""
        names = {name.replace("/", "."): name for name in shapes}  # see `StackedNetworks`
        priors = self.prior.assign({own: shapes[name][1:] for own, name in names.items()})
        return {names[own]: prior for own, prior in priors.items()}


@runtime_checkable
class OrdersExamples(Protocol):
    """A datamodule whose training batches can have examples of each member's own, (K, B, ...)."""

    orders: int


class DeepEnsemble(SupervisedModule):
    """A classifier or regressor that averages networks trained side by side, as one model or one after another.

    Member k starts from the weights, and draws the weight noise, of a single model with the seed s + k, where s is
    that of the run. With ``own_orders`` it also sees the training examples in that model's order: then it is that
    model, up to rounding, unless layers draw masks. Otherwise all members share the minibatches.

    Each member takes the gradient of its own loss, unless the trainer clips gradients by their norm, which is that of
    all members together. A likelihood's own parameters, such as a learned noise, are shared by the members; their
    gradient is summed over them.

    See :class:`SupervisedModule` for what is logged. Training figures are means over members. ``error_members`` (or
    ``rmse_members``) is that of the members one by one, over all their predictions. With ``own_orders`` each member's
    own scores are noted too, e.g. ``val/error/0``: callbacks and `results.json` have them, loggers do not.

    Args:
        net: A class or function of ``(input_shape, output_size)``, called once per member.
        input_shape: Shape of one input, without the batch.
        target_size: Number of classes, or dimension of the target.
        members: K.
        likelihood: p(y | f(x)), by default ``Categorical()``.
        mean_field: Makes the members Bayesian; None for point estimates.
        own_orders: Whether each member has minibatches of its own.
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
        mean_field: MeanField | None = None,
        own_orders: bool = False,
        optimizer: OptimizerCallable = SGD,
        lr_scheduler: LRSchedulerCallable | None = None,
    ) -> None:
        likelihood = Categorical() if likelihood is None else likelihood
        super().__init__(input_shape, target_size, likelihood, optimizer, lr_scheduler)
        require_at_least("DeepEnsemble", 1, members=members)
        networks, seeds = [], []
        with torch.random.fork_rng(devices=[]):
            for seed in range(torch.initial_seed(), torch.initial_seed() + members):
                torch.manual_seed(seed)
                networks.append(build_network(net, input_shape, target_size, likelihood))
                seeds.append(int(torch.randint(2**32, ())))
        if len(set(networks)) < members:
            raise UserError(
                f"DeepEnsemble: net gives one {type(networks[0]).__name__} for all members, which would stay alike. "
                "Give a class, or a function that makes a new network at each call."
            )
        self.members, self.mean_field, self.own_orders = members, mean_field, own_orders
        self._sizes = [p.numel() for p in networks[0].parameters() if p.requires_grad]
        stacked = StackedNetworks(networks, len(self.input_shape))
        self.networks: StackedNetworks | BayesianModule = stacked
        if mean_field is not None:
            prior = _OfMembers(mean_field.prior)
            self.networks = BayesianModule(stacked, prior, mean_field.posterior, seed=seeds[0])
            self.draws, self.val_draws = mean_field.draws, mean_field.val_draws
        self.seeds = seeds  # of the members' weight noise; no tensor, which a GPU would have to be asked for
        self.member_scores = nn.ModuleDict(
            {split: MemberScores(likelihood, target_size, members, mean_field is not None) for split in SPLITS}
            if own_orders
            else {}
        )

    @property
    def weights(self) -> int:
        """Number of weights of all networks: a random one has two parameters, and counts once."""
        return super().weights - (self.networks.rho.numel() if isinstance(self.networks, BayesianModule) else 0)

    def setup(self, stage: str) -> None:
        """Ask the datamodule for examples of each member's own, and give every device training noise of its own."""
        if isinstance(self.networks, BayesianModule):
            self.seeds = self.trainer.strategy.broadcast(self.seeds)
            self.networks.noise.stream = self.global_rank
        if self.own_orders:
            datamodule = self.trainer.datamodule  # type: ignore[attr-defined]  # set at run time
            if not isinstance(datamodule, OrdersExamples):
                raise UserError(
                    "DeepEnsemble: own_orders (=true) needs a datamodule that gives each member minibatches of its "
                    f"own, as this package's do; not {type(datamodule).__name__}."
                )
            datamodule.orders = self.members

    def teardown(self, stage: str) -> None:
        """Leave the datamodule as it was."""
        if self.own_orders:
            self.trainer.datamodule.orders = 1  # type: ignore[attr-defined]  # set at run time

    def on_fit_start(self) -> None:
        """Compile the loops over the weights where that pays."""
        if isinstance(self.networks, BayesianModule):
            compile_where_it_pays(self.networks, self.trainer)

    def get_extra_state(self) -> dict[str, list[int]]:
        """The seeds of the members' weight noise, to go on with their draws on resume."""
        return {"seeds": self.seeds}

    def set_extra_state(self, state: dict[str, list[int]]) -> None:
        """See :meth:`get_extra_state`."""
        self.seeds = state["seeds"]

    def objective(self, batch: Batch, batch_idx: int, epoch: Epoch) -> Objective:
        """The minibatch's part of the mean NLL or of the negative ELBO, averaged over members."""
        inputs, targets = batch
        kl = inputs.new_zeros(())
        if self.mean_field is not None and isinstance(self.networks, BayesianModule):
            draw = self.networks.draw(self._epsilon(self.networks, self.networks.noise, self.seeds))
            outputs = self.networks(inputs, draw.weights)
            share = epoch.share(self.mean_field.weighting, batch_idx)
            kl = draw.kl * (share * epoch.scale / epoch.examples / self.members)
        else:
            outputs = self.networks(inputs)
        if inputs.dim() == len(self.input_shape) + 2:  # each member has examples of its own
            nll = expected_nll(self.likelihood, outputs.flatten(0, 1).unsqueeze(0), targets.flatten(0, 1), epoch)
            return Objective(nll / self.members, kl)
        return Objective(expected_nll(self.likelihood, outputs, targets, epoch), kl)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The sum over members, so that each has the gradient of its own loss."""
        return super().training_step(batch, batch_idx) * self.members

    @property
    def minimised(self) -> str:
        """See :attr:`SupervisedModule.minimised`."""
        return "NLL" if self.mean_field is None else super().minimised

    def training_figures(self, loss: Tensor, nll: Tensor, kl: Tensor) -> dict[str, Tensor]:
        """For point estimates the loss alone."""
        return {"loss": loss, "nll": nll} if self.mean_field is None else super().training_figures(loss, nll, kl)

    @property
    def can_draw(self) -> bool:
        """See :meth:`SupervisedModule.can_draw`."""
        return self.mean_field is not None

    def drawn(self, draws: Draws, seed: int | None = None) -> Iterator[Drawn]:
        """See :meth:`SupervisedModule.drawn`; all members together, member k by the seed s + k if one is given."""
        if not isinstance(self.networks, BayesianModule):
            if draws != "mean":
                raise UserError(
                    f"DeepEnsemble: draws (={draws}): its members are point estimates, with nothing to draw. "
                    "Leave draws out."
                )
            yield self.networks
            return
        if draws == "mean":
            yield partial(self.networks, weights=self.networks.mean())
            return
        noise = self.networks.noise.evaluation()
        seeds = self.seeds if seed is None else [(seed + member) % 2**32 for member in range(self.members)]
        for _ in range(draws):
            yield partial(self.networks, weights=self.networks.at(self._epsilon(self.networks, noise, seeds)))

    def outputs(self, inputs: Tensor, draws: Draws | None = None) -> Tensor:
        """Outputs (K, M, B, ...) for inputs (B, ...) under M draws of each member; M = 1 for point estimates."""
        return torch.stack([networks(inputs) for networks in self.drawn(self._chosen(draws))], dim=1)

    def single_predictives(self, inputs: Tensor, predictive: Predictive) -> Sequence[Predictive]:
        """p(y | x) of each member."""
        return [Predictive(self.likelihood, predictive.outputs[k :: self.members]) for k in range(self.members)]

    @torch.no_grad()
    def predictives_at_mean(self, inputs: Tensor) -> Iterable[Predictive]:
        """p(y | x) of the networks at the members' posterior means, for inputs (B, ...); none of point estimates."""
        if isinstance(self.networks, BayesianModule):
            for outputs in self.networks(inputs, self.networks.mean()):
                yield Predictive(self.likelihood, outputs.unsqueeze(0))

    def _score(self, split: str, batch: Batch, predictive: Predictive) -> dict[str, Any]:
        if self.own_orders:
            inputs, targets = batch
            own, at_mean = self.single_predictives(inputs, predictive), self.predictives_at_mean(inputs)
            _member_scores(self.member_scores, split).update(own, at_mean, targets)
        return super()._score(split, batch, predictive)

    def _log_scores(self, split: str) -> None:
        super()._log_scores(split)
        if self.own_orders:
            values = _member_scores(self.member_scores, split).compute()
            self.log_dict({f"{split}/{name}": each for name, each in values.items()}, logger=False, sync_dist=True)

    def _epsilon(self, model: BayesianModule, noise: NoiseStream, seeds: Sequence[int]) -> Tensor:
        """The next noise of all members, each from a stream of its own, in the order of the stacked weights."""
        size = model.mu.numel() // self.members
        streams = (replace(noise, seed=seed) for seed in seeds)
        each = torch.stack([s.normal(size, model.mu.device, model.mu.dtype, model.compiled) for s in streams])
        noise.position += 1
        return torch.cat([piece.flatten() for piece in each.split(self._sizes, dim=1)])


def _member_scores(scores: nn.ModuleDict, split: str) -> MemberScores:
    found = scores[split]
    assert isinstance(found, MemberScores)
    return found
