"""What the package uses of others' private names, in one place: after an upgrade this says which are gone."""

import ast
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from jsonargparse import ArgumentParser, _actions, _completions_jsonschema, _deprecated, _typehints, _util
from lightning.fabric.utilities import types
from lightning.pytorch import LightningModule, Trainer, cli
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.loggers import CSVLogger, WandbLogger
from lightning.pytorch.overrides import distributed
from lightning.pytorch.strategies import DDPStrategy
from torch import nn
from torch.optim import SGD
from torch.optim.lr_scheduler import LRScheduler
from torch.utils import _python_dispatch, _pytree

ROOT = Path(__file__).parent.parent
DOCUMENTED = {"_exit": "os", "_fields": "collections.namedtuple", "_replace": "collections.namedtuple"}


def trainer() -> Trainer:
    return Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_model_summary=False)


def parser() -> ArgumentParser:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--width", type=int)
    return parser


def private() -> Iterator[tuple[Any, tuple[str, ...]]]:
    """Owners, and names that they must have."""
    yield _typehints, ("adapt_class_type", "get_all_subclass_paths", "import_object", "resolve_class_path_by_name")
    yield _util, ("import_object",)
    yield _actions, ("import_object",)
    yield _deprecated, ("JsonargparseDeprecationWarning",)
    yield _completions_jsonschema, ("ParserJsonschema",)
    generator = _completions_jsonschema.ParserJsonschema
    yield generator, ("generate", "set_dest", "callable_schema", "subclass_def", "class_path_schema")
    yield parser(), ("_actions",)
    yield parser()._actions[-1], ("_typehint",)
    yield cli, ("_InstantiatorFn",)
    yield cli.LightningCLI, ("_parser", "_parse_ckpt_path")
    yield types, ("_PATH",)
    yield distributed, ("_IndexBatchSamplerWrapper",)
    yield ModelCheckpoint, ("_save_checkpoint",)
    yield LightningModule(), ("_trainer",)
    yield trainer(), ("_signal_connector",)
    yield trainer()._signal_connector, ("received_sigterm",)
    yield trainer().fit_loop, ("_restarting", "_can_stop_early", "_data_fetcher")
    yield trainer().fit_loop.epoch_loop, ("_batches_that_stepped", "_should_check_val_fx")
    yield DDPStrategy(), ("_ddp_kwargs", "_layer_sync")
    yield LightningOptimizer(SGD(nn.Linear(1, 1).parameters())), ("_on_before_step", "_on_after_step")
    yield CSVLogger("."), ("_version",)
    yield WandbLogger(), ("_experiment", "_wandb_init")
    yield LRScheduler, ("_update_lr",)
    yield _python_dispatch, ("TorchDispatchMode",)
    yield _pytree, ("tree_leaves",)
    yield nn.Conv2d(1, 1, 1), ("_parameters", "_conv_forward")
    yield nn.modules.dropout, ("_DropoutNd",)
    yield torch.utils, ("_python_dispatch", "_pytree")
    yield _python_dispatch, ("TorchDispatchMode",)
    yield _pytree, ("tree_leaves",)
    yield nn.modules.batchnorm, ("_BatchNorm",)


def test_private_names_are_there() -> None:
    assert [(owner, name) for owner, names in private() for name in names if name not in dir(owner)] == []


def test_of_modules_that_take_long_to_import() -> None:
    assert find_spec("torch._dynamo") is not None
    services = pytest.importorskip("ray._private.services")
    assert callable(services.canonicalize_bootstrap_address)


def test_no_other_is_used() -> None:
    listed = {name for _, names in private() for name in names}
    listed |= {"_completions_jsonschema", "_deprecated", "_typehints", "_util", "_dynamo", "_private"}
    listed |= {"_python_dispatch", "_pytree"}
    used = {name: place for name, place in private_names() if name not in DOCUMENTED}
    assert {name: place for name, place in used.items() if name not in listed} == {}


def private_names() -> Iterator[tuple[str, str]]:
    """Private names in the package's files that no file of it defines, each with a place."""
    folders = [ROOT / name for name in ("lightning_vi", "callbacks", "datamodules")]
    files = [
        path
        for folder in folders
        for path in folder.rglob("*.py")
        if path.parent.parent.resolve() == path.parent.parent
    ]
    trees = {path: list(ast.walk(ast.parse(path.read_text()))) for path in files}
    own = {name for nodes in trees.values() for node in nodes for name in defined(node)}
    for path, nodes in trees.items():
        for node in nodes:
            for name in mentioned(node):
                if name.startswith("_") and not name.startswith("__") and name not in own:
                    yield name, f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"


def defined(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.FunctionDef() | ast.ClassDef():
            yield node.name
        case ast.Attribute(value=ast.Name(id="self"), ctx=ast.Store()):
            yield node.attr
        case ast.Name(ctx=ast.Store()):
            yield node.id


def mentioned(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Attribute():
            yield node.attr
        case ast.ImportFrom() if node.module != "__future__":
            yield from (part for part in str(node.module).split("."))
            yield from (alias.name for alias in node.names)
