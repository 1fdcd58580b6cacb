"""A model as tensors and text, without any pickle: a file of `safetensors`.

The tensors are those of the state. The header holds as JSON what else the state has and the settings that the model is
built by, and the SHA-256 of all of it, since the format has no checksum.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from lightning_vi.errors import UserError
from lightning_vi.whole_file import whole

SUFFIX = ".safetensors"
KEY = "lightning_vi"
FORMAT = 1
"""Number of what stands in the header under the key, raised when that is read in another way."""

UNREADABLE = (LookupError, TypeError, ValueError, RecursionError)
"""What reading JSON that is something else raises."""


class Model(NamedTuple):
    """What the file holds.

    Attributes:
        settings: What the model is built by, as a checkpoint of Lightning has it.
        state: What `load_state_dict` takes.
    """

    settings: Mapping[str, Any]
    state: Mapping[str, Any]


def write(model: Model, path: Path) -> None:
    """Write the file, the same bytes for the same model; what shares memory is written as often as it is named.

    Raises:
        UserError: If the state, that of a module of the user's own, is more than tensors and plain values.
    """
    tensors, others = _parted(model.state)
    # Copies, since safetensors refuses tensors that share memory.
    tensors = {name: each.detach().cpu().contiguous().clone() for name, each in tensors.items()}
    try:
        content = json.dumps({"settings": model.settings, "state": others})
    except TypeError as error:
        raise UserError(f"{path}: the model's state is more than tensors and plain values: {error}.") from error
    # One text, since safetensors writes several in any order.
    header = json.dumps({"format": FORMAT, "sha256": _digest(content, tensors), "content": content})
    with whole(path) as part:
        save_file(tensors, part, metadata={KEY: header})


def read(path: Path) -> Model:
    """Read the file.

    Raises:
        UserError: If it is no such file, is damaged, or is of a format unknown here.
    """
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            texts: dict[str, str] = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no mapping
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} is not a file of safetensors, or is damaged: {error}.") from error
    try:
        header = json.loads(texts[KEY])
        found, digest, content = header["format"], header["sha256"], str(header["content"])
    except UNREADABLE as error:
        raise UserError(f"{path} does not say how to build its model, as those of `lightning-vi export` do.") from error
    if found != FORMAT:
        raise UserError(
            f"{path} has the format {found}, but this version of lightning-vi reads format {FORMAT} only. "
            "Use the version that has written it."
        )
    if digest != _digest(content, tensors):
        raise UserError(f"{path} is damaged: its checksum is not that of its content.")
    try:
        values = json.loads(content)
        return Model(dict(values["settings"]), _joined(tensors, dict(values["state"])))
    except UNREADABLE as error:  # the checksum may be the work of anybody
        raise UserError(f"{path} does not say how to build its model, as those of `lightning-vi export` do.") from error


def _parted(state: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors of a state by name, and what a module keeps besides, its `_extra_state`, without its tensors."""
    tensors: dict[str, Tensor] = {}
    others: dict[str, Any] = {}
    for name, value in state.items():
        if isinstance(value, Tensor):
            tensors[name] = value
        elif isinstance(value, Mapping):
            of_it = {f"{name}.{field}": each for field, each in value.items() if isinstance(each, Tensor)}
            tensors |= of_it
            others[name] = {field: each for field, each in value.items() if f"{name}.{field}" not in of_it}
        else:
            others[name] = value
    return tensors, others


def _joined(tensors: Mapping[str, Tensor], others: Mapping[str, Any]) -> dict[str, Any]:
    state = dict(others)
    for name, tensor in tensors.items():
        owner, _, field = name.rpartition(".")
        if owner in others:
            state[owner][field] = tensor
        else:
            state[name] = tensor
    return state


def _digest(content: str, tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256(content.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
