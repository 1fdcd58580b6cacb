"""E networks of one architecture as one module, whose parameters and buffers are stacked."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call

from lightning_vi.errors import UserError
from lightning_vi.functional.side_by_side import ONE_BY_ONE, SideBySide

# On a processor one product of stacked matrices gains over several products only where these are small: 0.5 of the
# time with 32 hidden units, nothing with 400. On a GPU it fills what one network leaves idle.
BATCHED_BELOW = 50_000


class StackedNetworks(nn.Module):
    """Runs E networks, each on its own parameters, side by side or one after another, whichever is faster.

    Parameter `a.b` of the networks is parameter `a/b` here, with shape (E, ...).

    Args:
        networks: E networks of one architecture; they are copied.
        input_dims: Number of dimensions of one input, without the batch.

    Raises:
        UserError: If the networks differ in their layers, their parameters' shapes, or in which are trained.

    Attributes:
        batched: Whether the networks run as one, by `torch.func.vmap`; by default that is decided by the device and
            the size. Random masks of layers such as dropout are each network's own either way.
    """

    def __init__(self, networks: Sequence[nn.Module], input_dims: int) -> None:
        super().__init__()
        first = networks[0]
        if any(_signature(network) != _signature(first) for network in networks):
            raise UserError(
                "StackedNetworks: the networks must be of one architecture, but their layers or parameters differ."
            )
        self.members, self.input_dims = len(networks), input_dims
        self.batched: bool | None = None
        self._side_by_side = SideBySide()
        # In a tuple, so that it is no submodule: it has no values of its own.
        self._skeleton = (copy.deepcopy(first).to("meta"),)
        parameters = [dict(network.named_parameters()) for network in networks]
        buffers = [dict(network.named_buffers()) for network in networks]
        for name, parameter in parameters[0].items():
            stacked = torch.stack([member[name].detach() for member in parameters])
            self.register_parameter(_key(name), nn.Parameter(stacked, parameter.requires_grad))
        saved = first.state_dict()
        for name in buffers[0]:
            self.register_buffer(_key(name), torch.stack([member[name] for member in buffers]), name in saved)
        self._places = _places(first)

    def extra_repr(self) -> str:
        """The line that ``repr`` adds."""
        return f"{self.members} x {self._skeleton[0]!r}"

    @property
    def weights(self) -> int:
        """Number of weights of one network."""
        return sum(parameter.numel() for parameter in self._skeleton[0].parameters())

    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs (E, B, ...) for inputs (B, ...) that all networks share, or (E, B, ...) of their own."""
        network = self._skeleton[0].train(self.training)
        values = {place: getattr(self, _key(name)) for place, name in self._places.items()}
        own = inputs.dim() == self.input_dims + 2

        def run(member: dict[str, Tensor], own_inputs: Tensor = inputs) -> Tensor:
            outputs: Tensor = functional_call(network, member, (own_inputs,), tie_weights=False)
            return outputs

        batched = self.batched
        if batched is None:
            batched = inputs.device.type == "cuda" or self.weights <= BATCHED_BELOW
        side_by_side = self._side_by_side if batched else ONE_BY_ONE
        return side_by_side(run, values, inputs if own else None)

    @torch.no_grad()
    def member(self, number: int) -> nn.Module:
        """A network of its own with the values of one of the networks."""
        network = copy.deepcopy(self._skeleton[0]).to_empty(device=next(iter(self.parameters())).device)
        for name, value in [*network.named_parameters(), *network.named_buffers()]:
            value.copy_(getattr(self, _key(name))[number])
        return network.train(self.training)

    @torch.no_grad()
    def blank(self) -> nn.Module:
        """A network of its own on the CPU, whose parameters are 0, with the buffers of the first one."""
        network = copy.deepcopy(self._skeleton[0]).to_empty(device="cpu")
        for parameter in network.parameters():
            parameter.zero_()
        for name, buffer in network.named_buffers():
            buffer.copy_(getattr(self, _key(name))[0])
        return network


def _key(name: str) -> str:
    return name.replace(".", "/")


def _places(network: nn.Module) -> dict[str, str]:
    """Each place of a parameter or buffer, once, with its name; tied ones have several places, a layer used twice one.

    `functional_call` does not put back what stood in a place that two names lead to.
    """
    named = [*network.named_parameters(), *network.named_buffers()]
    names = {id(value): name for name, value in named}
    return {
        f"{prefix}.{attribute}".lstrip("."): names[id(value)]
        for prefix, module in network.named_modules()
        for attribute, value in [*module._parameters.items(), *module._buffers.items()]
        if value is not None
    }


def _signature(network: nn.Module) -> tuple[str, list[tuple[str, torch.Size, bool]]]:
    """What networks that share their code must have in common: layers, shapes, and which parameters are trained."""
    values = [*network.named_parameters(), *network.named_buffers()]
    return repr(network), [(name, value.shape, value.requires_grad) for name, value in values]
