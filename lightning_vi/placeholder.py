"""What stands in a network where a parameter stood that is random now."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

import torch

from lightning_vi.errors import UserError


class Placeholder:
    """Stands for a random parameter while its network does not run; whoever computes with it is told so.

    Args:
        name: The parameter's full name.
        shape: Its shape.
    """

    def __init__(self, name: str, shape: torch.Size) -> None:
        self.name = name
        self.shape = shape

    def __repr__(self) -> str:
        return f"Placeholder({self.name!r}, {tuple(self.shape)})"

    def __getattr__(self, attribute: str) -> NoReturn:
        if attribute.startswith("__"):  # copying and pickling ask for methods that are not there
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {attribute!r}")
        _refuse([self])

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> NoReturn:
        """PyTorch calls it for every function that gets a placeholder for a tensor, alone or in a list."""
        given = [*args, *(kwargs or {}).values()]
        lists = [each for each in given if isinstance(each, list | tuple)]
        _refuse([each for some in (given, *lists) for each in some if isinstance(each, cls)])


def _refuse(found: list[Placeholder]) -> NoReturn:
    raise UserError(
        f"BayesianModule: {found[0].name!r} is random, and has a value only while `forward` runs: model(inputs, "
        "model.draw().weights). Use it there (not in other methods, nor under torch.utils.checkpoint), or keep it "
        "deterministic by `bayesian`."
    )
