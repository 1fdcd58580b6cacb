import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from lightning_vi import tensor_file
from lightning_vi.bayesian import BayesianModule
from lightning_vi.errors import UserError
from lightning_vi.tensor_file import Model

SETTINGS = {"_class_path": "a.B", "hidden": [3, 4], "sigma": 0.5, "net": {"class_path": "C", "init_args": {}}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.safetensors"


def bayesian() -> BayesianModule:
    torch.manual_seed(0)
    model = BayesianModule(nn.Sequential(nn.Conv2d(1, 2, 2), nn.BatchNorm2d(2)), seed=3)
    model.kept = torch.arange(model.mu.numel()) % 3 > 0
    model.draw()
    return model


def test_gives_back_the_settings_and_the_state(path: Path) -> None:
    model = bayesian()
    tensor_file.write(Model(SETTINGS, model.state_dict()), path)
    settings, state = tensor_file.read(path)
    assert settings == SETTINGS
    other = BayesianModule(nn.Sequential(nn.Conv2d(1, 2, 2), nn.BatchNorm2d(2)))
    other.load_state_dict(state)
    assert torch.equal(other.draw().weights["0.weight"], model.draw().weights["0.weight"])
    assert other.removed == model.removed > 0
    for name, value in model.state_dict().items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(state[name], value)
            assert state[name].dtype == value.dtype


def test_takes_views_empty_tensors_and_all_types(path: Path) -> None:
    whole = torch.arange(6.0)
    state = {
        "whole": whole,
        "columns": whole.view(2, 3).T,
        "none": torch.ones(0, 3),
        "number": torch.tensor(3),
        "half": torch.ones(2, dtype=torch.bfloat16),
        "mask": torch.tensor([True, False]),
    }
    tensor_file.write(Model(SETTINGS, state), path)
    read = tensor_file.read(path).state
    assert all(torch.equal(read[name], value) and read[name].dtype == value.dtype for name, value in state.items())


def test_holds_no_pickle(path: Path) -> None:
    tensor_file.write(Model(SETTINGS, bayesian().state_dict()), path)
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    kinds = {"BOOL": 1, "F32": 4, "I64": 8}
    sizes = [
        kinds[entry["dtype"]] * torch.Size(entry["shape"]).numel()
        for name, entry in header.items()
        if name != "__metadata__"
    ]
    assert len(content) == 8 + length + sum(sizes)


@pytest.mark.parametrize("part", ["length", "header", "text", "tensor", "end"])
def test_a_changed_byte_is_told(part: str, path: Path) -> None:
    tensor_file.write(Model(SETTINGS, bayesian().state_dict()), path)
    content = bytearray(path.read_bytes())
    places = {"length": 1, "header": 9, "text": content.index(b"sigma"), "tensor": -30, "end": -1}
    content[places[part]] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.safetensors is (not a file of safetensors, or is )?damaged"):
        tensor_file.read(path)


def test_a_file_that_is_cut_short_or_another_is_told(path: Path) -> None:
    tensor_file.write(Model(SETTINGS, bayesian().state_dict()), path)
    content = path.read_bytes()
    for other in (content[:-1], content[:100], b"", b"text"):
        path.write_bytes(other)
        with pytest.raises(UserError, match="is not a file of safetensors, or is damaged"):
            tensor_file.read(path)


def write_with(path: Path, **header: object) -> None:
    """A file with a header of one's own, its checksum right."""
    tensors = {"a": torch.ones(2)}
    content = str(header.get("content", ""))
    text = json.dumps({"format": 1, "sha256": tensor_file._digest(content, tensors), "content": content, **header})
    save_file(tensors, path, metadata={"lightning_vi": text})


@pytest.mark.parametrize("content", ["", "{", "[]", "3", "{}", '{"settings": {}, "state": 3}', "[" * 100_000])
def test_settings_that_are_none_are_told(content: str, path: Path) -> None:
    write_with(path, content=content)
    with pytest.raises(UserError, match="does not say how to build its model"):
        tensor_file.read(path)


def test_files_of_others_and_of_later_versions_are_told(path: Path) -> None:
    for metadata in (None, {"lightning_vi": "text"}, {"lightning_vi": "[]"}, {"format": "pt"}):
        save_file({"a": torch.ones(2)}, path, metadata=metadata)
        with pytest.raises(UserError, match="does not say how to build its model"):
            tensor_file.read(path)
    write_with(path, format=2)
    with pytest.raises(UserError, match="has the format 2, but this version of lightning-vi reads format 1 only"):
        tensor_file.read(path)


@pytest.mark.parametrize("state", [{"a._extra_state": object()}, {"a._extra_state": {"b": {1, 2}}}])
def test_a_state_that_is_no_data_is_told_and_nothing_is_written(state: dict[str, Any], path: Path) -> None:
    with pytest.raises(UserError, match="the model's state is more than tensors and plain values"):
        tensor_file.write(Model(SETTINGS, state), path)
    assert not list(path.parent.iterdir())
