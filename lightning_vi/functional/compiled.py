"""Compiled versions of elementwise functions, made when they are first called for."""

from collections.abc import Callable
from functools import cache
from typing import ParamSpec, TypeVar, cast

import torch

P = ParamSpec("P")
R = TypeVar("R")


@cache
def _compile(function: Callable[..., object]) -> Callable[..., object]:
    from torch import _dynamo  # takes seconds

    # All models of a process share one compiled function, which makes a version for each kind of prior, posterior and
    # shapes; by default PyTorch gives up at the ninth.
    _dynamo.config.recompile_limit = max(64, _dynamo.config.recompile_limit)
    # a * b + c in one instruction with one rounding: most of what these loops do are polynomials.
    return torch.compile(function, options={"cpp.enable_floating_point_contract_flag": "fast"})


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """``torch.compile(function)``; not at import, since loading the compiler alone takes seconds."""
    return cast(Callable[P, R], _compile(function))  # cache() forgets the signature
