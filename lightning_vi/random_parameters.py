"""Which parameters of a network are random, and where they stand; what cannot be random is refused."""

import copy
import gc
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from weakref import ref

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from lightning_vi.errors import UserError

_PRODUCTS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
_PARALLEL = (nn.DataParallel, nn.parallel.DistributedDataParallel)
_QUANTISED = ("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized")


class Place(NamedTuple):
    """Where a parameter stands: a module and its attribute. A tied parameter has several places and one name."""

    name: str
    module: nn.Module
    attribute: str


def copied(net: nn.Module) -> nn.Module:
    """A copy of a network.

    Raises:
        UserError: If it cannot be copied, or has layers that cannot run on drawn weights.
    """
    for name, module in net.named_modules():
        _require_ordinary(name, module)
    for name, value in [*net.named_parameters(), *net.named_buffers()]:
        if is_lazy(value):
            raise UserError(
                f"BayesianModule: {name!r} has no shape yet. Run the network once, net(inputs), before you give it."
            )
    try:
        return copy.deepcopy(net)
    except Exception as error:  # a network's own code may raise anything
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise UserError(
            f"BayesianModule: {type(net).__name__} cannot be copied: {reason[:200]} Give one that copy.deepcopy takes; "
            "weight_norm and spectral_norm are also in torch.nn.utils.parametrizations, where they can be copied."
        ) from error


def _require_ordinary(name: str, module: nn.Module) -> None:
    kind = f"{name!r}, a {type(module).__name__}," if name else f"the network, a {type(module).__name__},"
    if isinstance(module, _PARALLEL):
        raise UserError(
            f"BayesianModule: {kind} would run copies on weights of its own. Give what it wraps, its `module`; "
            "trainer.devices is what uses several devices."
        )
    if type(module).__module__.startswith(_QUANTISED):
        raise UserError(f"BayesianModule: {kind} is quantised, and passes no gradient on. Give the network in float32.")


def choose(net: nn.Module, bayesian: str) -> dict[str, nn.Parameter]:
    """The trainable parameters whose full names match a regular expression.

    Raises:
        UserError: If it is none or matches none, or if a parameter that it matches cannot be random.
    """
    try:
        pattern = re.compile(bayesian)
    except re.error as error:
        raise UserError(f"BayesianModule: bayesian (={bayesian!r}) must be a regular expression: {error}.") from error
    trainable = {name: p for name, p in net.named_parameters() if p.requires_grad}
    chosen = {name: p for name, p in trainable.items() if pattern.fullmatch(name)}
    if not chosen:
        names = ", ".join(trainable) or "none"
        raise UserError(f"BayesianModule: bayesian (={bayesian!r}) matches no trainable parameter; there are: {names}.")
    for name, parameter in chosen.items():
        _require_real(name, parameter)
    kinds = {(p.dtype, p.device) for p in chosen.values()}
    if len(kinds) > 1:
        raise UserError(
            f"BayesianModule: the random parameters must share one type and device, but there are "
            f"{', '.join(f'{dtype} on {device}' for dtype, device in kinds)}."
        )
    return chosen


def _require_real(name: str, parameter: nn.Parameter) -> None:
    if parameter.dtype not in (torch.float32, torch.float64):
        raise UserError(
            f"BayesianModule: {name!r} ({parameter.dtype}) must be of float32 or float64 to be random: 16 bits lose a "
            "small sigma, and complex weights have no prior here. Convert it, e.g. net.float(), or keep it "
            "deterministic by `bayesian`."
        )
    if parameter.is_meta:
        raise UserError(
            f"BayesianModule: {name!r} is on the meta device, without the value that its mean starts from. "
            "Give the network its weights first: net.to_empty(device='cpu'), then load_state_dict."
        )


def tied_names(net: nn.Module, chosen: Mapping[str, nn.Parameter]) -> dict[str, str]:
    """Further names of parameters that several modules share, each with the first name."""
    first = {id(parameter): name for name, parameter in chosen.items()}
    everywhere = net.named_parameters(remove_duplicate=False)
    return {name: first[id(p)] for name, p in everywhere if id(p) in first and first[id(p)] != name}


def places(net: nn.Module, chosen: Mapping[str, nn.Parameter]) -> list[Place]:
    """Where parameters stand.

    Raises:
        UserError: If one stands where no drawn weight can take its place.
    """
    names = {id(parameter): name for name, parameter in chosen.items()}
    found = [
        Place(names[id(parameter)], module, attribute)
        for module in net.modules()
        for attribute, parameter in module._parameters.items()
        if parameter is not None and id(parameter) in names
    ]
    for name, module, _ in found:
        if isinstance(module, torch.jit.ScriptModule):
            raise UserError(
                f"BayesianModule: {name!r} belongs to a ScriptModule, whose compiled code keeps its own weights. Give "
                "the network that it was made of, or keep it deterministic by `bayesian`."
            )
        if isinstance(module, nn.Embedding | nn.EmbeddingBag) and module.sparse:
            raise UserError(
                f"BayesianModule: {name!r} has sparse gradients, but a draw depends on all of its weights. "
                "Set sparse=False, or keep it deterministic by `bayesian`."
            )
    return found


def references(chosen: Mapping[str, nn.Parameter]) -> dict[str, "ref[nn.Parameter]"]:
    """By name, references that do not keep the parameters, for :func:`require_released`."""
    return {name: ref(parameter) for name, parameter in chosen.items()}


def require_released(parameters: Mapping[str, "ref[nn.Parameter]"]) -> None:
    """Refuse a network that keeps a parameter elsewhere than as a module's attribute, where no draw would reach it.

    Raises:
        UserError: naming it.
    """
    if any(each() is not None for each in parameters.values()):
        gc.collect()  # of cycles, which nobody can reach
    held = [name for name, each in parameters.items() if each() is not None]
    if held:
        raise UserError(
            f"BayesianModule: the network also keeps {', '.join(map(repr, held))} elsewhere, in a list for instance, "
            "where no drawn weight would take its place. Keep parameters as attributes of modules, or in an "
            "nn.ParameterList, or leave them deterministic by `bayesian`."
        )


def are_only_multiplied(net: nn.Module, found: Iterable[Place]) -> bool:
    """Whether it is known that all random weights go into products alone, which autocast rounds them for.

    Derived layers, and layers with hooks that make the weight of another parameter, do more with theirs. A network of
    the user's own may as well, or leave autocast for some of its layers.
    """
    known = all(type(module).__module__.partition(".")[0] in ("torch", "lightning_vi") for module in net.modules())
    return known and all(type(module) in _PRODUCTS and name in ("weight", "bias") for _, module, name in found)


def are_last_layers(net: nn.Module, chosen: Mapping[str, Any], found: Iterable[Place]) -> bool:
    """Whether the random parameters are those of linear layers behind all deterministic ones, as they are defined."""
    random = [name in chosen for name, _ in net.named_parameters()]
    return not random[0] and random == sorted(random) and all(type(module) is nn.Linear for _, module, _ in found)
