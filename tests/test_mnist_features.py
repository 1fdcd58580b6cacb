from pathlib import Path

import pytest
import torch

from benchmarks import mnist_features
from lightning_vi.__main__ import main
from lightning_vi.datamodules import Digits, UnitInterval
from lightning_vi.errors import UserError
from lightning_vi.mnist_features import DigitNetwork


def test_weights_of_a_run_are_written_and_make_the_same_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PL_GLOBAL_SEED", "0")  # so that what the command sets is undone afterwards
    monkeypatch.setenv("PL_SEED_WORKERS", "0")
    data = ["--data=Digits", "--data.scaling=UnitInterval"]
    options = ["--trainer.max_epochs=2", "--trainer.accelerator=cpu", "--trainer.callbacks=[]"]
    assert main(["fit", "--config=mnist_classifier.yaml", *data, *options, "--trainer.enable_checkpointing=true"]) == 0
    (checkpoint,) = tmp_path.glob("runs/mnist_classifier/version_0/checkpoints/*.ckpt")
    file = tmp_path / "weights.pt"
    mnist_features.write(checkpoint, file)

    network = DigitNetwork((1, 8, 8), 10)
    network.load_state_dict(torch.load(file, weights_only=True))
    trained = torch.load(checkpoint, weights_only=True)["state_dict"]
    twin = DigitNetwork((1, 8, 8), 10)
    twin.load_state_dict({name[6:]: value for name, value in trained.items() if name.startswith("model.")})
    images, labels = Digits(scaling=UnitInterval()).splits().test.tensors
    torch.testing.assert_close(network.eval()(images), twin.eval()(images), rtol=5e-3, atol=5e-2)
    assert float((network(images).argmax(dim=1) == labels).double().mean()) > 0.5
    assert file.stat().st_size < 0.6 * sum(4 * each.numel() for each in network.parameters()) + 10_000


def test_what_is_no_checkpoint_is_told(tmp_path: Path) -> None:
    file = tmp_path / "weights.pt"
    with pytest.raises(UserError, match=r"nothing\.ckpt cannot be read: No such file"):
        mnist_features.write(tmp_path / "nothing.ckpt", file)
    assert not file.exists()
