from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch import LightningModule

from lightning_vi import origin
from lightning_vi.datamodules import Curve, Digits
from lightning_vi.errors import UserError

PATH = Path("a.ckpt")


class Module(LightningModule):
    def __init__(self, name: str | None) -> None:
        super().__init__()
        if name is not None:
            self.save_hyperparameters({"_class_path": name})


def checkpoint(model: str | None = "a.Model", data: str = "Digits") -> dict[str, Any]:
    return {"hyper_parameters": {} if model is None else {"_class_path": model}, data: {"seed": 1}}


@pytest.mark.parametrize(
    ("saved", "model"),
    [
        (checkpoint(), "a.Model"),
        (checkpoint(None), "a.Model"),  # from Python
        (checkpoint(), None),
        (checkpoint(data="Own"), "a.Model"),  # data of somebody else, which may have any state or none
        ({}, "a.Model"),
    ],
)
def test_the_same_or_unknown_is_let_pass(saved: dict[str, Any], model: str | None) -> None:
    origin.require_same(saved, PATH, Module(model), Digits())


def test_another_model_is_refused() -> None:
    with pytest.raises(UserError, match=r"a\.ckpt is of the model a\.Model, but that .* is b\.Model\. Give the config"):
        origin.require_same(checkpoint(), PATH, Module("b.Model"), Digits())


def test_other_data_are_refused() -> None:
    with pytest.raises(
        UserError, match=r"a\.ckpt was trained on Digits, but the data .* are Curve\. .* --weights a\.ckpt"
    ):
        origin.require_same(checkpoint(), PATH, Module("a.Model"), Curve())


@pytest.mark.parametrize("name", ["optimizer", "generator_optimizer", "lr_scheduler"])
def test_another_optimizer_or_schedule_is_refused(name: str) -> None:
    module = Module(None)
    module.save_hyperparameters({name: {"class_path": "torch.optim.SGD", "init_args": {"lr": 2.0}}})
    saved: dict[str, Any] = {name: {"class_path": "torch.optim.SGD", "init_args": {"lr": 1.0}}}
    origin.require_same({"hyper_parameters": saved}, PATH, module, Digits())
    origin.require_same({"hyper_parameters": {name: None}}, PATH, module, Digits())
    saved[name]["class_path"] = "torch.optim.Adam"
    with pytest.raises(UserError, match=rf"a\.ckpt has the {name} torch\.optim\.Adam, but .* is torch\.optim\.SGD\."):
        origin.require_same({"hyper_parameters": saved}, PATH, module, Digits())
