"""That the command line's settings are kept whole is in the tests of `building` and of `lightning-vi sample`."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from lightning.pytorch import LightningModule
from torch import nn

from lightning_vi.modules.hyperparameters import keep_plain
from tests.bare_trainer import trainer

PLAIN = {
    "size": 3,
    "rate": 0.5,
    "fused": True,
    "name": "a",
    "levels": None,
    "shape": (1, 8, 8),
    "channels": [[4, 8], (), ["b", None]],
}


class Module(LightningModule):
    def __init__(
        self,
        size: int,
        rate: float = 0.1,
        fused: bool = False,
        name: str = "",
        levels: int | None = 2,
        shape: Sequence[int] = (),
        channels: Sequence[object] = (),
        net: object = None,
        parts: Sequence[object] = (),
        table: object = None,
    ) -> None:
        super().__init__()
        self.layer = nn.Linear(size, 1)
        keep_plain(self)


class Derived(Module):
    """With arguments of its own, and some that it chooses."""

    def __init__(self, width: int, make: object, depth: int = 2) -> None:
        super().__init__(size=width, net=make)


# A network among them would be warned of by Lightning.
OBJECTS = {"net": nn.Linear(2, 2), "parts": [1, nn.Tanh], "table": {"a": 1}}


def test_what_is_plain_is_kept_and_objects_are_dropped() -> None:
    module = Module(**PLAIN, **OBJECTS)  # type: ignore[arg-type]
    assert dict(module.hparams) == dict(module.hparams_initial) == PLAIN


def test_what_is_derived_from_a_plain_type_is_an_object() -> None:
    # A checkpoint that holds one cannot be read as data.
    assert "rate" not in Module(3, rate=np.float64(0.5)).hparams
    assert "shape" not in Module(3, shape=torch.Size([2])).hparams


def test_a_derived_modules_arguments_are_kept_too() -> None:
    kept = Derived(5, make=torch.relu, depth=4).hparams
    assert (kept["width"], kept["depth"], kept["size"]) == (5, 4, 5)
    assert not {"make", "net"} & kept.keys()


def test_a_checkpoint_rebuilds_the_module_as_data(tmp_path: Path) -> None:
    module, run = Module(**PLAIN, **OBJECTS), trainer()  # type: ignore[arg-type]
    run.strategy.connect(module)
    run.save_checkpoint(tmp_path / "a.ckpt", weights_only=True)
    loaded = Module.load_from_checkpoint(tmp_path / "a.ckpt", weights_only=True, net=nn.Linear(1, 1))
    assert {name: loaded.hparams[name] for name in PLAIN} == PLAIN
    assert torch.equal(loaded.layer.weight, module.layer.weight)
