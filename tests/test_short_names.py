from collections.abc import Iterator

import jsonargparse
import pytest
import torchvision.ops
from jsonargparse import _typehints
from lightning.pytorch import Callback
from lightning.pytorch import cli as lightning_cli
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import nn
from torch.ao.nn import quantized
from torch.optim import Adam, Optimizer
from torch.optim.lr_scheduler import LRScheduler

from lightning_vi import callbacks, networks, short_names


@pytest.fixture
def installed() -> Iterator[None]:
    before = _typehints.resolve_class_path_by_name
    short_names.install()
    yield
    setattr(_typehints, "resolve_class_path_by_name", before)  # noqa: B010 (as the module does)


@pytest.mark.parametrize(
    ("expected", "namesakes", "path"),
    [
        (nn.Module, (networks.MLP, torchvision.ops.MLP), "lightning_vi.networks.MLP"),
        (nn.Module, (nn.Sigmoid, quantized.Sigmoid), "torch.nn.Sigmoid"),
        (nn.Module, (nn.Linear, quantized.Linear), "torch.nn.Linear"),
        (Callback, (callbacks.ProgressBar,), "lightning_vi.callbacks.ProgressBar"),
        (LRScheduler, (lightning_cli.ReduceLROnPlateau,), "lightning.pytorch.cli.ReduceLROnPlateau"),
    ],
)
def test_precedence_tells_between_namesakes(expected: type, namesakes: tuple[type, ...], path: str) -> None:
    name = path.rpartition(".")[2]
    assert all(namesake.__name__ == name for namesake in namesakes)
    assert [each.rpartition(".")[2] for each in short_names.class_paths(expected)].count(name) > 1
    assert short_names.resolve(expected, name) == path


def test_namesakes_without_precedence_stay_ambiguous() -> None:
    assert torchvision.models.resnet.BasicBlock is not torchvision.models.video.resnet.BasicBlock
    with pytest.raises(ValueError, match="Multiple subclasses with name BasicBlock"):
        short_names.resolve(nn.Module, "BasicBlock")


@pytest.mark.usefixtures("installed")
def test_jsonargparse_resolves_so() -> None:
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--net", type=nn.Module)
    net = parser.instantiate(parser.parse_args(["--net=Linear", "--net.in_features=2", "--net.out_features=3"])).net
    assert type(net) is nn.Linear


def test_what_training_derives_from_an_optimizer_is_no_class_to_name() -> None:
    LightningOptimizer(Adam(nn.Linear(1, 1).parameters()))
    assert not [path for path in short_names.class_paths(Optimizer) if path.rpartition(".")[2] == "LightningAdam"]
    assert "torch.optim.Adam" in short_names.class_paths(Optimizer)
