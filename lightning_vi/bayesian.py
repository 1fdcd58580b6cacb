r"""Any network as a Bayesian one: vec(W) = mu + diag(sigma) epsilon, epsilon ~ N(0, I).

The trainable parameters of a network become one flat vector with a factorised Gaussian posterior. A draw from it is
cut into views of the parameters' shapes, which take the places of the parameters while the network runs.
There are no special layers: convolutions, normalisation, pretrained weights and your own modules work as they are.

A weight can be removed: it is 0 then in every draw and in the mean, costs nothing, and training leaves it alone.
"""

import copy
import warnings
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from lightning_vi.errors import UserError
from lightning_vi.functional.side_by_side import SideBySide
from lightning_vi.noise import NoiseStream
from lightning_vi.placeholder import Placeholder
from lightning_vi.posteriors import FactorisedGaussian, SoftplusVariance
from lightning_vi.prior_groups import PriorGroups
from lightning_vi.priors import Gaussian, PriorRule
from lightning_vi.random_parameters import (
    are_last_layers,
    are_only_multiplied,
    choose,
    copied,
    places,
    references,
    require_released,
    tied_names,
)
from lightning_vi.reparameterisation import only_kept

Weights = Mapping[str, Tensor]

# Draws side by side: on a processor with 10 draws 0.7 to 0.9 of the time up to some 10,000 weights, with 2 never.
_LEAST_DRAWS, _MOST_WEIGHTS, _MOST_WEIGHTS_ON_GPU, _MOST_AT_ONCE = 8, 10_000, 10_000_000, 16
_ALONE = (nn.RNNBase, nn.MultiheadAttention)  # whose kernels have no version for stacked weights
_MOST_OF_HEADS = 10_000_000  # weights of all draws, where those before the first random one are shared


class Draw(NamedTuple):
    """Weights from the posterior, and what the objective needs of them.

    Attributes:
        weights: Parameter name to tensor of that parameter's shape; under autocast they may be rounded already.
        kl: Shape (), nats summed over the weights that are not removed: KL[q || p] in closed form where the prior has
            one, otherwise its unbiased estimate log q(w) - log p(w) at this draw.
    """

    weights: Weights
    kl: Tensor


class BayesianModule(nn.Module):
    """A network whose weights have a posterior distribution.

    Args:
        net: The network; it is copied. Its trainable parameters give the initial means, so a pretrained network
            keeps what it knows.
        prior: Density of each weight before data; by default N(0, 1). Or a rule that gives parameters different ones.
        posterior: How rho gives sigma; by default the lecture's sigma^2 = log(1 + e^rho).
        bayesian: Regular expression that the full names of the parameters to treat as random must match; the others
            stay deterministic and are trained as usual (partial Bayes).
        seed: Seed of the weight noise in [0, 2^32); by default drawn from PyTorch's global generator.

    Raises:
        UserError: If no trainable parameter matches, or those that do differ in type or device; if the network cannot
            run on drawn weights, see `random_parameters`; or for a bad seed.

    Attributes:
        mu: Shape (n,), means of the n random weights.
        rho: Shape (n,), from which the posterior computes the standard deviations.
        net: The network, whose random parameters are only placeholders, see :class:`Placeholder`.
        kept: Shape (n,), bool, false where a weight is removed, or None where none is; saved with the state. What mu
            and rho hold of a removed weight means nothing.
        noise: The stream that draws come from; saved with the state.
        tied: Further names of parameters that several modules share, each with the name that holds its weights.
        compiled: Use compiled loops for drawing; set by :meth:`compile_draws`.
    """

    mu: nn.Parameter
    rho: nn.Parameter
    kept: Tensor | None

    def __init__(
        self,
        net: nn.Module,
        prior: PriorRule | None = None,
        posterior: FactorisedGaussian | None = None,
        bayesian: str = ".*",
        seed: int | None = None,
    ) -> None:
        super().__init__()
        if seed is not None and not 0 <= seed < 2**32:
            raise UserError(f"BayesianModule: seed (={seed}) must lie in [0, 2^32).")
        self.net = copied(net)
        self.prior = Gaussian() if prior is None else prior
        self.posterior = SoftplusVariance() if posterior is None else posterior
        self.noise = NoiseStream(int(torch.randint(2**32, ())) if seed is None else seed)
        self.compiled = False
        self._side_by_side = SideBySide()

        chosen = choose(self.net, bayesian)
        self._shapes = {name: parameter.shape for name, parameter in chosen.items()}
        self._groups = PriorGroups(self.prior, self._shapes)
        self.tied = tied_names(self.net, chosen)
        self.mu = nn.Parameter(torch.cat([parameter.detach().flatten() for parameter in chosen.values()]))
        self.rho = nn.Parameter(torch.full_like(self.mu, self.posterior.initial_rho))
        self.register_buffer("kept", None, persistent=False)  # the extra state has it, so that any state dict fits
        self._places = places(self.net, chosen)
        self._rounded_by_autocast = are_only_multiplied(self.net, self._places)
        self._is_head = are_last_layers(self.net, chosen, self._places)
        self._placeholders = {name: Placeholder(name, shape) for name, shape in self._shapes.items()}
        parameters = references(chosen)
        del chosen
        for name, module, attribute in self._places:
            del module._parameters[attribute]
            setattr(module, attribute, self._placeholders[name])
        require_released(parameters)

    def extra_repr(self) -> str:
        """The line that ``repr`` adds."""
        removed = f", removed={self.removed}" if self.removed else ""
        return f"weights={self.mu.numel()}{removed}, prior={self.prior}, posterior={self.posterior}"

    @property
    def random_modules(self) -> list[nn.Module]:
        """The network's modules that have random weights of their own."""
        return list(dict.fromkeys(module for _, module, _ in self._places))

    @property
    def removed(self) -> int:
        """Number of weights that are removed."""
        return 0 if self.kept is None else int((~self.kept).sum())

    @property
    def sigma(self) -> Tensor:
        """Standard deviations of the weights, shape (n,); 0 where they are removed."""
        return only_kept(self.posterior.sigma(self.rho), self.kept)

    def signal_to_noise(self) -> Tensor:
        """|mu| / sigma of the weights, shape (n,); one with a small ratio can be removed, and has the ratio 0 then."""
        return only_kept(self.mu.abs() / self.posterior.sigma(self.rho), self.kept)

    def split(self, flat: Tensor) -> dict[str, Tensor]:
        """Named views of a flat vector, for instance ``model.split(model.sigma)["0.weight"]``.

        Args:
            flat: Shape (n,).

        Returns:
            Parameter name to a view of that parameter's shape.
        """
        pieces = flat.split([shape.numel() for shape in self._shapes.values()])
        return {name: piece.view(shape) for (name, shape), piece in zip(self._shapes.items(), pieces, strict=True)}

    def epsilon(self, noise: NoiseStream | None = None) -> Tensor:
        """The next standard normal vector, shape (n,), from a stream; by default the module's own."""
        stream = self.noise if noise is None else noise
        return stream.normal(self.mu.numel(), self.mu.device, self.mu.dtype, self.compiled)

    def draw(self, epsilon: Tensor | None = None) -> Draw:
        """Weights w = mu + sigma epsilon and their complexity, differentiable by mu and rho.

        Args:
            epsilon: Shape (n,); by default the next of the module's own stream.
        """
        noise = self.epsilon() if epsilon is None else epsilon
        kl, weights = self._groups.draw_and_price(
            self.mu, self.rho, noise, self.posterior, self.compiled, self.kept, self._dtype()
        )
        return Draw(weights, kl)

    def _dtype(self) -> torch.dtype:
        """What a draw's weights are rounded to: under autocast at once what it would round them to later.

        The same numbers, without two more passes over them. Gradients of a layer that is called several times are
        added after rounding, as autocast does with those of parameters.
        """
        kind = self.mu.device.type
        if self._rounded_by_autocast and self.mu.dtype == torch.float32 and torch.is_autocast_enabled(kind):
            return torch.get_autocast_dtype(kind)
        return self.mu.dtype

    def sample(self, noise: NoiseStream | None = None) -> dict[str, Tensor]:
        """Weights alone, from the next noise of a stream (by default the module's own), for prediction."""
        return self.at(self.epsilon(noise))

    def at(self, epsilon: Tensor) -> dict[str, Tensor]:
        """The weights mu + sigma epsilon alone; epsilon has shape (n,)."""
        return self.split(only_kept(self.mu + self.posterior.sigma(self.rho) * epsilon, self.kept))

    def mean(self) -> dict[str, Tensor]:
        """The posterior mean as weights."""
        return self.split(only_kept(self.mu, self.kept))

    def state_around(self, state: Mapping[str, Tensor]) -> dict[str, Any]:
        """This module's state with what a deterministic network of the same architecture has learned.

        Args:
            state: State of that network. Its values of the random parameters become the means; deterministic
                parameters and buffers are taken as they are. The standard deviations stay this module's own.

        Raises:
            UserError: If it lacks a random parameter, or has one of another shape.
        """
        for name, shape in self._shapes.items():
            if name not in state or state[name].shape != shape:
                found = "none" if name not in state else f"one of shape {tuple(state[name].shape)}"
                raise UserError(
                    f"The mean of {name!r}, of shape {tuple(shape)}, cannot start from these weights, which have "
                    f"{found}. Give those of the same network."
                )
        means = torch.cat([state[name].flatten() for name in self._shapes])
        others = {f"net.{name}": each for name, each in state.items() if name not in {*self._shapes, *self.tied}}
        own = {name: each for name, each in self.state_dict().items() if not name.startswith("net.")}
        return {**own, "mu": means, **others}

    def network_at_mean(self) -> nn.Module:
        """A copy of the network as an ordinary module, whose parameters are the posterior mean."""
        other = copy.deepcopy(self)
        parameters = {name: nn.Parameter(weight.detach().clone()) for name, weight in other.mean().items()}
        for name, module, attribute in other._places:
            setattr(module, attribute, parameters[name])
        return other.net

    def forward(self, inputs: Tensor, weights: Weights) -> Any:
        """The network's output with the given weights (a draw's, or the mean)."""
        # torch.func.functional_call looks all modules up by name, which takes as long as a small layer.
        for name, module, attribute in self._places:
            setattr(module, attribute, weights[name])
        try:
            return self.net(inputs)
        finally:
            for name, module, attribute in self._places:
                setattr(module, attribute, self._placeholders[name])

    def outputs(self, inputs: Tensor, draws: Iterable[Weights], count: int) -> Tensor:
        """The network's outputs under several draws, side by side or one after another, whichever is faster.

        Args:
            inputs: Shape (B, ...), shared by the draws.
            draws: Weights of each; taken when needed, so that not all have to be in memory.
            count: S, their number.

        Returns:
            Shape (S, B, ...).
        """
        at_once = self.at_once(count, inputs.device)
        if at_once == 1:
            return torch.stack([self(inputs, weights) for weights in draws])
        remaining, results = iter(draws), []
        while some := list(islice(remaining, at_once)):
            stacked = {name: torch.stack([weights[name] for weights in some]) for name in some[0]}
            results.append(self._side_by_side(lambda weights: self(inputs, weights), stacked))
        return torch.cat(results)

    def at_once(self, count: int, device: torch.device) -> int:
        """How many of some draws run side by side on a device.

        Stacked products save calls, and on a GPU fill what one of them leaves idle; on a processor they are slower
        than products one after another, so that they pay only where calls are most of the time. But where only the
        last layers are random, all that comes before them is computed once for the draws side by side. Layers that
        write into buffers, such as batch normalisation's in training, run only one after another; recurrent ones and
        attention, too, unless they come before.
        """
        weights, on_gpu = self.mu.numel(), device.type == "cuda"
        if self._is_head and not any(_writes_buffers(module) for module in self.net.modules()):
            return max(1, min(count, _MOST_OF_HEADS // weights))
        if not ((on_gpu and weights <= _MOST_WEIGHTS_ON_GPU) or (count >= _LEAST_DRAWS and weights <= _MOST_WEIGHTS)):
            return 1
        runs_alone = any(isinstance(module, _ALONE) for module in self.net.modules())
        return 1 if runs_alone or any(True for _ in self.net.buffers()) else min(count, _MOST_AT_ONCE)

    def compile_draws(self) -> bool:
        """Compile the loops that draw weights and differentiate through them, once and for all sizes.

        It takes 10 to 30 s the first time on a machine, less when the compiler's cache is warm. Where it cannot be
        done (no C++ compiler, say), a warning says so and the eager loops give the same numbers, more slowly.

        Returns:
            Whether the compiled loops are now in use.
        """
        self.compiled = True
        try:
            gradients = torch.autograd.grad(self.draw(self.epsilon(self.noise.evaluation())).kl, [self.mu, self.rho])
            del gradients
        except Exception as error:  # what a missing or broken compiler raises differs from platform to platform
            self.compiled = False
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            warnings.warn(f"Weights are drawn without compiled loops, which is slower: {reason}", stacklevel=2)
        return self.compiled

    def get_extra_state(self) -> dict[str, Any]:
        """Which weights are left, and the noise stream's seed and position, to go on with the next draw on resume."""
        return {"seed": self.noise.seed, "position": self.noise.position, "kept": self.kept}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """See :meth:`get_extra_state`; the stream (the rank) is not part of the state."""
        self.noise.seed, self.noise.position = state["seed"], state["position"]
        kept = state.get("kept")  # older states have none
        self.kept = None if kept is None else kept.to(self.mu.device, copy=True)


def _writes_buffers(module: nn.Module) -> bool:
    """Whether it may write into buffers of its own when it runs."""
    return module.training and any(True for _ in module.buffers(recurse=False))
