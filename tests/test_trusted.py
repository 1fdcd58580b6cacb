from pathlib import Path

import pytest
import torch
from jsonargparse import _typehints
from jsonargparse._util import import_object

from lightning_vi import modules, tensor_file
from lightning_vi.errors import UserError
from lightning_vi.loading import load
from lightning_vi.tensor_file import Model
from lightning_vi.trusted import require_trusted


def test_what_a_model_is_made_of_is_trusted() -> None:
    require_trusted(
        {
            "_class_path": "lightning_vi.modules.VAE",
            "encoder": {"class_path": "lightning_vi.networks.MLP", "init_args": {"activation": "torch.nn.Tanh"}},
            "optimizer": [{"class_path": "torch.optim.Adam", "init_args": {"lr": 0.1}}],
            "bayesian": r"head\\..*",
            "latent_size": 3,
            "likelihood": None,
        }
    )


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "builtins.eval",
        "subprocess.Popen",
        "torch.hub.load",
        "torch.utils.data.DataLoader",
        "torch.load",
        "nowhere.Net",
        "lightning_vi.cli.run",
        "lightning_vi.networks.Absent",
    ],
)
@pytest.mark.parametrize("nested", [lambda name: {"class_path": name}, lambda name: [{"a": {"b": name}}], str])
def test_anything_else_is_not(name: str, nested: object) -> None:
    assert callable(nested)
    with pytest.raises(UserError, match=f"it names '{name}'"):
        require_trusted({"encoder": nested(name)})


def test_a_name_that_others_have_imported_is_not_theirs() -> None:
    with pytest.raises(UserError, match=r"it names 'lightning_vi\.seal\.ZipFile'"):
        require_trusted({"net": "lightning_vi.seal.ZipFile"})


@pytest.mark.parametrize("text", ["class_path: strange.net", '{"class_path": "strange.net"}', "FILE"])
@pytest.mark.parametrize("argument", ["net", "likelihood", "optimizer"])
def test_text_that_jsonargparse_takes_for_settings_imports_and_calls_nothing(
    text: str, argument: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path("strange.py").write_text("open('imported', 'w').close()\ndef net(*_): open('called', 'w').close()\n")
    Path("settings.yaml").write_text("class_path: strange.net\n")
    settings = {
        "_class_path": "lightning_vi.modules.PointEstimate",
        "input_shape": [4],
        "target_size": 2,
        "net": {"class_path": "lightning_vi.networks.MLP"},
        argument: text.replace("FILE", str(tmp_path / "settings.yaml")),
    }
    tensor_file.write(Model(settings, {"a": torch.zeros(1)}), Path("a.safetensors"))
    with pytest.raises(UserError, match="cannot be built"):
        load("a.safetensors", modules.PointEstimate)
    assert not Path("imported").exists()
    assert not Path("called").exists()
    assert vars(_typehints)["import_object"] is import_object
