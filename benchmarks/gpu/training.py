"""Bayes by Backprop of 784-U-U-10 networks on images that lie on the device, step by step or as one recorded step."""

import math
from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.gpu.captured import Captured, DeviceNoise
from benchmarks.gpu.plan import Plan
from lightning_vi.bayesian import BayesianModule
from lightning_vi.estimators import WeightSampling
from lightning_vi.likelihoods import Categorical
from lightning_vi.networks import MLP, StackedNetworks
from lightning_vi.objectives import Epoch, negative_elbo
from lightning_vi.posteriors import SoftplusScale
from lightning_vi.priors import Prior

PIXELS, CLASSES, BATCH = 784, 10, 128
RATE = 1e-3
Mode = Literal["eager", "captured"]
Loss = Callable[[Tensor, Tensor], Tensor]


def network(units: int, members: int = 1) -> nn.Module:
    """One network; or several as one, as `DeepEnsemble` has them, with outputs (E, B, K).

    A ``BayesianModule`` of them has the posteriors of all, and the sum of their objectives: by an optimizer that works
    by elements each trains as it would alone.
    """
    networks = [MLP((PIXELS,), CLASSES, [units, units]) for _ in range(members)]
    return networks[0] if members == 1 else StackedNetworks(networks, input_dims=1)


def bayesian(net: nn.Module, prior: Prior, plan: Plan, compiled: bool = False) -> BayesianModule:
    """A network with a posterior, on the device, whose noise is counted there.

    Raises:
        RuntimeError: If the loops could not be compiled.
    """
    model = BayesianModule(net, prior, SoftplusScale(), seed=0).to(plan.device)
    if compiled and not model.compile_draws():
        raise RuntimeError("The loops over the weights could not be compiled.")
    model.noise = DeviceNoise(model.noise, plan.device)
    return model


def negative_elbo_of(model: BayesianModule, examples: int) -> Loss:
    """A step's loss by inputs (B, 784) and classes (B,); for networks side by side it is the sum of theirs."""
    estimator, likelihood = WeightSampling(), Categorical()
    epoch = Epoch(examples, examples, math.ceil(examples / BATCH))

    def loss(inputs: Tensor, targets: Tensor) -> Tensor:
        return negative_elbo(estimator(model, inputs), likelihood, targets, 1 / epoch.batches, epoch).loss

    return loss


def cross_entropy_of(net: nn.Module) -> Loss:
    """The same of a network with single-valued weights."""
    return lambda inputs, targets: F.cross_entropy(net(inputs), targets)


class Training:
    """Steps of fused Adam by minibatches of 128 in the order of an epoch.

    Args:
        model: What is trained, on the device.
        loss: Of a minibatch.
        images: Shape (N, 784), on the device.
        labels: Shape (N,), on the device.
        mode: Whether the steps are recorded.
        half: Whether matrix products are in bfloat16.

    Attributes:
        order: Shape (N,), the epoch's order; to be overwritten in place.
        rate: Shape (), the learning rate; to be overwritten in place.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Loss,
        images: Tensor,
        labels: Tensor,
        mode: Mode,
        half: bool = False,
    ) -> None:
        self.model, self.loss, self.images, self.labels, self.half = model, loss, images, labels, half
        device = images.device
        on_cuda = device.type == "cuda"
        self.order = torch.arange(len(images), device=device)
        self.rate = torch.tensor(RATE, device=device)
        self._place = torch.zeros((), dtype=torch.int64, device=device)
        self._numbers = torch.arange(BATCH, device=device)
        self.optimizer = torch.optim.Adam(model.parameters(), lr=self.rate, fused=True, capturable=on_cuda)
        sizes = {min(BATCH, len(images)), len(images) % BATCH} - {0}
        self._steps: dict[int, Callable[[], object]] = {size: self._step_of(size) for size in sizes}
        if mode == "captured":
            self._steps = {size: Captured(step, device, self.changed) for size, step in self._steps.items()}

    def step(self) -> None:
        """A step of a whole minibatch; behind the epoch's end it goes on from its start."""
        self._steps[BATCH]()

    def epoch(self) -> None:
        """All steps of an epoch, the ragged last one too."""
        self._place.zero_()
        for _ in range(len(self.images) // BATCH):
            self.step()
        if len(self.images) % BATCH:
            self._steps[len(self.images) % BATCH]()

    def changed(self) -> list[Tensor]:
        """Whatever a step changes."""
        state = [value for each in self.optimizer.state.values() for value in each.values()]
        noise = [each.noise.state for each in self.model.modules() if isinstance(each, BayesianModule)
                 and isinstance(each.noise, DeviceNoise)]  # fmt: skip
        return [*self.model.parameters(), self._place, *noise, *state]

    def _step_of(self, size: int) -> Callable[[], None]:
        def step() -> None:
            chosen = self.order.index_select(0, (self._place + self._numbers[:size]) % len(self.order))
            inputs, targets = self.images.index_select(0, chosen), self.labels.index_select(0, chosen)
            self.optimizer.zero_grad()
            # Within a graph a cached half-precision weight would be that of the step that was recorded.
            with torch.autocast(inputs.device.type, torch.bfloat16, enabled=self.half, cache_enabled=False):
                loss = self.loss(inputs, targets)
            loss.backward()
            self.optimizer.step()
            self._place.add_(size)

        return step
