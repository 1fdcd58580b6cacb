import json
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import LambdaCallback
from torch import nn

from lightning_vi.__main__ import main
from lightning_vi.errors import UserError
from lightning_vi.named_classes import require_no_function
from lightning_vi.networks import MLP

CALLS = (
    {"class_path": "os.system", "init_args": {"command": "touch called"}},
    {"class_path": "builtins.eval", "init_args": {"source": "open('called', 'w')"}},
    {"class_path": "subprocess.Popen", "init_args": {"args": ["touch", "called"]}},
    {"class_path": "harmless_name.call", "init_args": {"command": "touch called"}},
    "os.system",
    "builtins.eval",
    "harmless_name.call",
)
KEYS = (
    "model",
    "data",
    "model.net",
    "model.net.activation",
    "model.optimizer",
    "model.lr_scheduler",
    "model.prior",
    "trainer.callbacks+",
    "trainer.logger",
)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS"):
        monkeypatch.setenv(name, "0")
    # A module of the user's own, which no list of names can know.
    Path("harmless_name.py").write_text("import os\n\ndef call(command='touch called', *_):\n    os.system(command)\n")


def refused(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    capsys.readouterr()
    assert main(["fit", "--config=bbb_digits.yaml", "--trainer.fast_dev_run=true", *options]) == 2
    assert not Path("called").exists()
    (line,) = capsys.readouterr().err.splitlines()
    return line.removeprefix("lightning-vi: ")


@pytest.mark.parametrize("key", KEYS)
def test_nothing_but_classes_of_the_expected_type_is_called(key: str, capsys: pytest.CaptureFixture[str]) -> None:
    for call in (*CALLS[:2], CALLS[3], "os.system"):
        line = refused(capsys, f"--{key}={call if isinstance(call, str) else json.dumps(call)}")
        assert line.startswith(key.removesuffix("+").rpartition(".")[0])


def test_what_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(capsys, "--model.prior=os.system")
    assert line == "model.prior: a configuration must not name 'os.system', which can run anything."
    line = refused(capsys, f"--model.net={json.dumps(CALLS[3])}")
    assert line == "model.net: Expected 'harmless_name.call' to be a class, not a function."


@pytest.mark.parametrize("call", CALLS)
def test_a_callback_of_functions_gets_none(call: Any, capsys: pytest.CaptureFixture[str]) -> None:
    callback = {"class_path": "lightning.pytorch.callbacks.LambdaCallback", "init_args": {"setup": call}}
    refused(capsys, f"--trainer.callbacks+={json.dumps(callback)}")


def test_anything_goes_where_nothing_is_built(capsys: pytest.CaptureFixture[str]) -> None:
    logger = {"class_path": "WandbLogger", "init_args": {"settings": {"label": CALLS[3]}}}
    with pytest.raises(SystemExit):
        main(["fit", "--config=bbb_digits.yaml", f"--trainer.logger={json.dumps(logger)}", "--print_config"])
    assert not Path("called").exists()


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.system ['touch called']", "!!python/name:os.system"])
def test_yaml_makes_no_objects(tag: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.yaml").write_text(f"name: {tag}\n")
    assert "not valid YAML" in refused(capsys, "--config=a.yaml")


def test_a_functions_default_may_stand() -> None:
    class Own(nn.Module):
        def __init__(self, activation: object = torch.relu) -> None:
            super().__init__()

    class Derived(Own):
        def __init__(self, **kwargs: object) -> None:
            super().__init__(**kwargs)

    require_no_function(Derived, {"activation": torch.relu})
    require_no_function(MLP, {"activation": nn.Tanh, "hidden": [3]})
    with pytest.raises(UserError, match="Derived: activation must be a class, not the function 'tanh'"):
        require_no_function(Derived, {"activation": torch.tanh})
    with pytest.raises(UserError, match="LambdaCallback: setup must be a class, not the function 'print'"):
        require_no_function(LambdaCallback, {"setup": print})
