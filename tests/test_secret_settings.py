import os
from pathlib import Path

import pytest

from lightning_vi.__main__ import main
from lightning_vi.errors import UserError
from lightning_vi.secret_settings import require_no_secret

KEY = "0123456789abcdef" * 2 + "01234567"
SHORT = [
    "--trainer.accelerator=cpu",
    "--trainer.max_epochs=1",
    "--trainer.limit_train_batches=2",
    "--trainer.limit_val_batches=1",
]


@pytest.mark.parametrize("name", ["api_key", "apikey", "WANDB_API_KEY", "password", "token", "auth_token", "secret"])
def test_settings_named_like_a_secret_are_refused_without_their_value(name: str) -> None:
    require_no_secret({"trainer": {"logger": [{"init_args": {name: None}}]}})
    with pytest.raises(UserError, match=rf"^trainer\.logger\.init_args\.{name} would be kept") as error:
        require_no_secret({"trainer": {"logger": [{"init_args": {name: KEY}}]}})
    assert KEY not in str(error.value)


def test_others_are_not() -> None:
    require_no_secret({"model": {"tokens": 3, "tokenizer": "a", "key": 3, "draws": [1, 2]}, "name": "token"})


def test_a_key_in_a_configuration_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    logger = f'{{"class_path": "WandbLogger", "init_args": {{"settings": {{"api_key": "{KEY}"}}}}}}'
    options = [f"--trainer.logger={logger}"]
    assert main(["fit", "--config=bbb_digits.yaml", *options]) == 2
    told = capsys.readouterr().err
    assert "api_key would be kept in config.yaml" in told
    assert KEY not in told


def test_the_key_of_the_environment_reaches_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    import wandb

    monkeypatch.chdir(tmp_path)
    for name, value in {"WANDB_API_KEY": KEY, "WANDB_MODE": "offline", "PL_GLOBAL_SEED": "0"}.items():
        monkeypatch.setenv(name, value)
    wandb.teardown()  # its service, if another test has started it, resolves paths in that test's folder
    overlays = ["--config=wandb.yaml", "--config=tensorboard.yaml"]
    assert main(["fit", "--config=bbb_digits.yaml", *overlays, *SHORT, "--model.draws=2", "--model.val_draws=2"]) == 0
    wandb.finish()
    wandb.teardown()
    files = [Path(folder, name) for folder, _, names in os.walk(tmp_path, followlinks=False) for name in names]
    kinds = {".ckpt", ".yaml", ".csv", ".json", ".wandb"}
    assert kinds <= {file.suffix for file in files}
    assert [file for file in files if KEY.encode() in file.read_bytes()] == []
    printed = capfd.readouterr()
    assert KEY not in printed.out + printed.err
