from typing import Any

import pytest
from lightning.pytorch.accelerators import CUDAAccelerator, MPSAccelerator

from lightning_vi.errors import UserError
from lightning_vi.trainer_settings import LEAST, require_sensible


def settings(**given: Any) -> dict[str, Any]:
    return {**dict.fromkeys(LEAST), "accelerator": "auto", "devices": "auto", **given}


@pytest.fixture(autouse=True)
def without_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in (CUDAAccelerator, MPSAccelerator):
        monkeypatch.setattr(kind, "is_available", lambda: False)


@pytest.mark.parametrize(
    "given",
    [
        {},
        dict(LEAST),
        {"accelerator": "cpu", "devices": 2},
        {"accelerator": "cpu", "devices": "2"},
        {"devices": [0, 1]},
    ],
)
def test_what_can_be_done_is_let_pass(given: dict[str, Any]) -> None:
    require_sensible(settings(**given))


@pytest.mark.parametrize("name", LEAST)
def test_numbers_that_are_too_small(name: str) -> None:
    for value in (LEAST[name] - 1, float("nan")):
        with pytest.raises(UserError, match=rf"trainer\.{name} \(={value}\) must be at least {LEAST[name]}"):
            require_sensible(settings(**{name: value}))


@pytest.mark.parametrize("name", ["gpu", "cuda", "mps"])
def test_gpus_where_there_are_none(name: str) -> None:
    with pytest.raises(UserError, match=rf"trainer\.accelerator \(={name}\): .* Choose cpu or auto"):
        require_sensible(settings(accelerator=name, devices=2))


def test_a_gpu_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CUDAAccelerator, "is_available", lambda: True)
    require_sensible(settings(accelerator="gpu", devices=[0]))


@pytest.mark.parametrize("devices", [0, -1, "0", "two", [0], "-1"])
def test_processes_that_are_no_number(devices: object) -> None:
    with pytest.raises(UserError, match=r"trainer\.devices \(=.*\) must be a number of processes"):
        require_sensible(settings(accelerator="cpu", devices=devices))
