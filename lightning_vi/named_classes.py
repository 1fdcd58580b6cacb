"""What a configuration may name where a class is expected: classes, and nothing else that could be called.

jsonargparse lets `class_path` name a function wherever a callable is expected, and would call it with `init_args`:
`{class_path: os.system, init_args: {command: ...}}`. Where anything is accepted (`Any`) it would build any class.
"""

from collections.abc import Callable, Mapping
from inspect import isclass, isfunction, isroutine, signature
from typing import Any

from jsonargparse import _typehints, set_parsing_settings
from jsonargparse._util import import_object

from lightning_vi.errors import UserError

_adapt: Callable[..., Any] = _typehints.adapt_class_type


def adapt(value: Any, *args: Any, **kwargs: Any) -> Any:
    """What jsonargparse makes of a class path and its arguments, if the path is that of a class.

    Raises:
        ImportError: if it is not.
    """
    if not isclass(import_object(value["class_path"])):
        raise ImportError(f"Expected '{value['class_path']}' to be a class, not a function.")
    return _adapt(value, *args, **kwargs)


def install() -> None:
    """Make jsonargparse build classes alone; it has no hook for that, so its own function is replaced.

    Its list of what no configuration may name at all (`os`, `subprocess`, `builtins.eval`, ...) is enforced, too.
    """
    set_parsing_settings(import_path_denylist=[], instantiate_subclass_spec_in_any=False)
    setattr(_typehints, _adapt.__name__, adapt)


def require_no_function(kind: type, arguments: Mapping[str, Any]) -> None:
    """Refuse a function that a configuration has named as an argument of a class; those that are defaults may stand.

    Raises:
        UserError: naming it.
    """
    constructors = [base.__dict__.get("__init__") for base in kind.__mro__]
    defaults = [each.default for own in constructors if isfunction(own) for each in signature(own).parameters.values()]
    for name, value in arguments.items():
        if isroutine(value) and not any(value is default for default in defaults):
            raise UserError(f"{kind.__name__}: {name} must be a class, not the function '{value.__name__}'.")
