import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from lightning_vi.datamodules import ByFolder, Images, StochasticBinarisation
from lightning_vi.datamodules import image_folders as module
from lightning_vi.datamodules.learned import Learned
from lightning_vi.errors import UserError
from tests.own_files import digit_folders


def ready(data: Images) -> Images:
    data.setup()
    return data


def ids(data: Images) -> list[str]:
    return [each for batch in data.predict_dataloader() for each in batch.ids.tolist()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return digit_folders(tmp_path_factory.mktemp("digits"), 20)


def test_folders_may_be_called_by_the_numbers_of_other_images(folder: Path, tmp_path: Path) -> None:
    for number, name in enumerate(("zero", "one", "two")):
        shutil.copytree(folder / name, tmp_path / str(8 + number))
    for number in range(8):
        shutil.copytree(folder / "one", tmp_path / str(number))
    pixels = {"maximum": 16.0, "transform": None, "scaling": {"shift": [0.0], "scale": [16.0]}}
    data = Images(str(tmp_path), greyscale=True, batch_size=8)
    learned = Learned.of_images(pixels, (1, 8, 8), 11)
    data.load_state_dict({"seed": 0, "position": None, "learned": learned.state_dict()})
    targets = ready(data).splits().test.tensors[1]
    assert targets.tolist() == [int(name.partition("/")[0]) for name in ids(data)]
    assert set(targets.tolist()) == set(range(11))


def test_folders_are_classes(folder: Path) -> None:
    data = ready(Images(str(folder), greyscale=True, batch_size=8))
    assert (data.input_shape, data.classes) == ((1, 8, 8), ("one", "two", "zero"))
    assert [len(split) for split in data.splits()] == [42, 6, 12]
    digits = load_digits()
    for name, image, label in zip(ids(data), *data.splits().test.tensors, strict=True):
        kind, number = name.removesuffix(".png").split("/")
        assert data.classes is not None
        assert data.classes[int(label)] == kind
        expected = digits.images[digits.target == ["zero", "one", "two"].index(kind)][int(number)]
        np.testing.assert_allclose(image[0], expected * 15 / 255, atol=1e-6)


def test_a_checkpoint_keeps_how_pixels_became_inputs(folder: Path) -> None:
    data = ready(Images(str(folder), greyscale=True, batch_size=8))
    expected = {"maximum": 255.0, "scaling": {"shift": (0.0,), "scale": (255.0,)}, "transform": None}
    assert data.state_dict()["pixels"] == expected


def test_folders_are_parts(folder: Path, tmp_path: Path) -> None:
    for part, count in (("train", 20), ("test", 5)):
        digit_folders(tmp_path / part, count)
    data = ready(Images(str(tmp_path), greyscale=True, split=ByFolder(), batch_size=8))
    assert [len(split) for split in data.splits()] == [60, 0, 15]
    assert ids(data)[:2] == ["test/one/000.png", "test/one/001.png"]


def test_a_flat_folder_is_predicted_as_the_training_was(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK", 4)
    transform = StochasticBinarisation()
    trained = ready(Images(str(folder), greyscale=True, batch_size=8, transform=transform))
    for name in ("zero/003", "one/001"):
        (tmp_path / f"{name.replace('/', '-')}.png").write_bytes((folder / f"{name}.png").read_bytes())
    for number in range(8):
        (tmp_path / f"{number}.png").write_bytes((folder / "two" / "000.png").read_bytes())
    bits = []
    for size in (3, 100):
        data = Images("nowhere", greyscale=True, predict=str(tmp_path), transform=transform, eval_batch_size=size)
        data.load_state_dict(trained.state_dict())
        data.setup("predict")
        assert ids(data) == [*(f"{number}.png" for number in range(8)), "one-001.png", "zero-003.png"]
        bits.append(torch.cat([batch.inputs for batch in data.predict_dataloader()]))
    assert torch.equal(*bits)
    assert set(bits[0].unique().tolist()) == {0.0, 1.0}
    assert not torch.equal(bits[0][0], bits[0][4])


def test_mistakes(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"size \(=\[0, 3\]\)"):
        Images("a", size=(0, 3))
    with pytest.raises(UserError, match=r"ByFolder: the folder 'one' is none of train, val, test"):
        ready(Images(str(folder), split=ByFolder()))
    with pytest.raises(UserError, match="has the class 'zero' alone in the training split"):
        ready(Images(str(digit_folders(tmp_path / "a", 20, classes=1))))
    digit_folders(tmp_path / "b" / "train", 5, classes=2)
    digit_folders(tmp_path / "b" / "test", 5, classes=3)
    with pytest.raises(UserError, match="the class 'two' is none of the training split, which has: one, zero"):
        ready(Images(str(tmp_path / "b"), split=ByFolder(), batch_size=4))
    Image.new("L", (8, 8)).save(tmp_path / "a" / "stray.png")
    with pytest.raises(UserError, match=r"stray\.png lies in no folder of a class"):
        ready(Images(str(tmp_path / "a")))
    data = Images("nowhere", predict=str(folder))
    data.load_state_dict(ready(Images(str(folder), greyscale=True, batch_size=8)).state_dict())
    with pytest.raises(UserError, match=r"= \(3, 8, 8\), but the training's were \(1, 8, 8\)\. Give the size"):
        ids(data)
