"""Compiled versions of elementwise functions, made when they are first called for."""

from collections.abc import Callable
from functools import cache
from typing import ParamSpec, TypeVar, cast

import torch

P = ParamSpec("P")
R = TypeVar("R")


@cache
def _compile(function: Callable[..., object]) -> Callable[..., object]:
    return torch.compile(function)


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """``torch.compile(function)``; not at import, since loading the compiler alone takes seconds."""
    return cast(Callable[P, R], _compile(function))  # cache() forgets the signature
