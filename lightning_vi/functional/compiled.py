"""Compiled versions of elementwise functions, made when they are first called for."""

from collections.abc import Callable
from functools import cache
from typing import TypeVar

import torch

F = TypeVar("F", bound=Callable[..., object])

_compile = cache(torch.compile)


def compiled(function: F) -> F:
    """``torch.compile(function)``; not at import, since loading the compiler alone takes seconds."""
    return _compile(function)
