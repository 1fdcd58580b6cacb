import copy
import itertools
import pickle
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import SequentialSampler, TensorDataset

from lightning_vi.datamodules import (
    Dequantisation,
    FixedBinarisation,
    InMemoryDataModule,
    InMemoryLoader,
    Splits,
    StochasticBinarisation,
    Transform,
)
from lightning_vi.datamodules.base import place
from lightning_vi.errors import UserError

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning")  # Lightning's, not ours

SIZE = 23


class Numbers(InMemoryDataModule):
    """Inputs and targets are 0, 1, 2, ..., so a batch tells what it holds."""

    input_shape = (1,)
    target_size = 1

    def __init__(self, batch_size: int = 4, validation_size: int = 7, seed: int | None = None) -> None:
        super().__init__(batch_size, 3, seed)
        self.validation_size = validation_size

    def splits(self) -> Splits:
        return Splits(numbers(SIZE), numbers(self.validation_size), numbers(10))


def numbers(size: int) -> TensorDataset:
    return TensorDataset(*(torch.arange(size).float()[:, None] for _ in range(2)))


class Greys(InMemoryDataModule):
    """Images of 8 x 8 pixels of one grey level each, in 17 levels; targets as those of `Numbers`."""

    input_shape = (1, 8, 8)
    target_size = 1
    maximum = 16.0

    def __init__(self, transform: Transform | None, seed: int | None = None, watch_test: bool = False) -> None:
        super().__init__(4, 3, seed, watch_test, transform)

    def splits(self) -> Splits:
        return Splits(*map(greys, (SIZE, 7, 10)))


def greys(size: int) -> TensorDataset:
    _, targets = numbers(size).tensors
    return TensorDataset((targets % 17 / 16)[..., None, None].repeat(1, 1, 8, 8), targets)


class Recorder(lightning.LightningModule):
    """Keeps (epoch, step, examples) of every training step."""

    def __init__(self, asks_for_steps: bool = False) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)
        self.asks_for_steps = asks_for_steps
        self.seen: list[tuple[int, int, list[int]]] = []
        self.evaluated: list[int] = []

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        self.seen.append((self.current_epoch, batch_idx, batch[1].flatten().int().tolist()))
        loss: Tensor = self.layer(batch[0] / SIZE).square().mean()
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self.evaluated += batch[1].flatten().int().tolist()

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self.evaluated += batch[1].flatten().int().tolist()

    def predict_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        return batch[1]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        if self.asks_for_steps:
            # Makes Lightning build the training loader before it restores the loops.
            assert self.trainer.estimated_stepping_batches > 0
        return torch.optim.SGD(self.parameters(), 0.1)


class PixelRecorder(Recorder):
    """Keeps the inputs of every training, validation and test step, too."""

    def __init__(self) -> None:
        super().__init__()
        self.trained_on: list[Tensor] = []
        self.evaluated_on: list[Tensor] = []

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        self.trained_on.append(batch[0])
        return super().training_step((batch[0].mean(dim=(1, 2, 3))[:, None], batch[1]), batch_idx)

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int, dataloader_idx: int = 0) -> None:
        self.evaluated_on.append(batch[0])

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self.evaluated_on.append(batch[0])

    def predict_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        return batch[0]


class SaveAtEveryStep(lightning.Callback):
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_train_batch_end(self, trainer: lightning.Trainer, *arguments: Any) -> None:
        trainer.save_checkpoint(self.folder / f"{trainer.global_step}.ckpt")


def quiet_trainer(**settings: Any) -> lightning.Trainer:
    quiet: dict[str, Any] = {
        "accelerator": "cpu",
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    return lightning.Trainer(**(quiet | settings))


def test_a_run_sees_each_example_once_per_epoch_in_the_order_of_its_seed() -> None:
    runs: dict[int, list[list[int]]] = {}
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        model, trainer = Recorder(), quiet_trainer(max_epochs=2)
        trainer.fit(model, Numbers())
        assert trainer.num_training_batches == 6
        epochs = [list(itertools.chain(*(e for n, _, e in model.seen if n == epoch))) for epoch in range(2)]
        assert [sorted(epoch) for epoch in epochs] == [list(range(SIZE))] * 2
        assert epochs[0] != epochs[1]
        assert runs.setdefault(seed, epochs) == epochs
    assert runs[1] != runs[2]


def test_the_seed_is_what_seed_everything_was_given_and_an_argument_wins() -> None:
    torch.manual_seed(77)
    torch.rand(3)
    datamodule, explicit = Numbers(), Numbers(seed=5)
    for made in (datamodule, explicit):
        made.setup()
    torch.manual_seed(78)
    datamodule.setup()
    assert (datamodule.seed, explicit.seed) == (77, 5)


@pytest.mark.parametrize("asks_for_steps", [False, True])
@pytest.mark.parametrize("limit", [6, 4])
def test_a_run_resumed_from_any_step_sees_what_the_whole_run_saw(
    asks_for_steps: bool, limit: int, tmp_path: Path
) -> None:
    whole = Recorder(asks_for_steps)
    settings: dict[str, Any] = {"max_epochs": 2, "limit_train_batches": limit, "num_sanity_val_steps": 0}
    quiet_trainer(callbacks=[SaveAtEveryStep(tmp_path)], **settings).fit(whole, Numbers())
    for step in range(1, 2 * limit):
        torch.manual_seed(100 + step)
        resumed = Recorder(asks_for_steps)
        quiet_trainer(**settings).fit(resumed, Numbers(), ckpt_path=tmp_path / f"{step}.ckpt", weights_only=True)
        assert resumed.seen == whole.seen[step:]


def test_a_fresh_run_does_not_start_where_an_earlier_checkpoint_ended(tmp_path: Path) -> None:
    datamodule, first, second = Numbers(), Recorder(), Recorder()
    quiet_trainer(max_epochs=1, callbacks=[SaveAtEveryStep(tmp_path)]).fit(first, datamodule)
    for checkpoint in ("4.ckpt", "6.ckpt"):
        second.seen.clear()
        quiet_trainer().test(second, datamodule, ckpt_path=tmp_path / checkpoint, weights_only=True, verbose=False)
        quiet_trainer(max_epochs=1).fit(second, datamodule)
        assert second.seen == first.seen


def test_another_batch_size_cannot_resume_inside_an_epoch_but_at_its_end(tmp_path: Path) -> None:
    quiet_trainer(max_epochs=1, callbacks=[SaveAtEveryStep(tmp_path)]).fit(Recorder(), Numbers())
    with pytest.raises(UserError, match="batch size times devices was 4; now it is 5"):
        quiet_trainer(max_epochs=2).fit(Recorder(), Numbers(5), ckpt_path=tmp_path / "3.ckpt", weights_only=True)


def test_evaluation_and_prediction_are_in_order() -> None:
    model, trainer = Recorder(), quiet_trainer(max_epochs=1, num_sanity_val_steps=0)
    trainer.fit(model, Numbers())
    assert model.evaluated == list(range(7))
    model.evaluated.clear()
    trainer.test(model, Numbers(), verbose=False)
    assert model.evaluated == list(range(10))
    predicted = trainer.predict(model, Numbers())
    assert predicted is not None
    assert torch.cat([p for p in predicted if isinstance(p, Tensor)]).flatten().tolist() == list(range(10))


def test_without_a_validation_split_lightning_skips_validation_without_a_warning() -> None:
    model, datamodule = Recorder(), Numbers(validation_size=0)
    quiet_trainer(max_epochs=2).fit(model, datamodule)
    assert len(model.seen) == 12
    assert model.evaluated == []
    assert datamodule.val_dataloader() == []
    with pytest.raises(UserError, match=r"validation_size \(=0\) leaves nothing to validate on"):
        quiet_trainer().validate(model, datamodule, verbose=False)


def test_limited_epochs_take_the_head_of_the_epochs_order() -> None:
    whole, limited = Recorder(), Recorder()
    quiet_trainer(max_epochs=2).fit(whole, Numbers())
    trainer = quiet_trainer(max_epochs=2, limit_train_batches=2)
    trainer.fit(limited, Numbers())
    assert trainer.num_training_batches == 2
    assert limited.seen == [step for step in whole.seen if step[1] < 2]


def test_overfit_batches_repeats_the_first_examples() -> None:
    model, trainer = Recorder(), quiet_trainer(max_epochs=2, overfit_batches=2)
    trainer.fit(model, Numbers())
    assert [examples for _, _, examples in model.seen] == [[0, 1, 2, 3], [4, 5, 6, 7]] * 2
    assert isinstance(trainer.train_dataloader.sampler, SequentialSampler)  # type: ignore[union-attr]


class Rank:
    """What a loader asks of a trainer, for one of several processes."""

    overfit_batches = 0.0

    def __init__(self, rank: int, world_size: int) -> None:
        self.global_rank, self.world_size, self.strategy = rank, world_size, self
        self.root_device = torch.device("cpu")

    def broadcast(self, value: int) -> int:
        return 42


@pytest.mark.parametrize("world_size", [2, 3])
def test_ranks_share_one_seed_and_evaluate_without_duplicates_or_empty_batches(world_size: int) -> None:
    loaders: list[list[InMemoryLoader]] = []
    for rank in range(world_size):
        torch.manual_seed(rank)
        datamodule = Numbers()
        datamodule.trainer = Rank(rank, world_size)  # type: ignore[assignment]
        datamodule.setup("test")
        assert datamodule.seed == 42
        loaders.append([datamodule.train_dataloader(), datamodule.test_dataloader()])
    for split, size in ((0, SIZE), (1, 10)):
        steps = list(zip(*loaders, strict=True))[split]
        seen = [[x.flatten().int().tolist() for x, _ in loader] for loader in steps]
        assert len({len(rank) for rank in seen}) == 1
        joined = [n for parts in zip(*seen, strict=True) for part in parts for n in part]
        assert sorted(joined) == list(range(size))
        if split == 1:
            assert joined == list(range(size))
            assert all(1 <= len(part) <= 3 for rank in seen for part in rank)


def test_data_that_do_not_fit_stay_in_host_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = numbers(1000)  # 8,000 bytes
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (15_999, 10**6))
    assert place(dataset, torch.device("cuda", 0)) is dataset
    moved = place(dataset, torch.device("meta"))
    assert all(tensor.device.type == "meta" for tensor in moved.tensors)


def test_mistakes() -> None:
    for batch_size in (0, -3):
        with pytest.raises(UserError, match=rf"Numbers: batch_size \(={batch_size}\) must be at least 1"):
            Numbers(batch_size)
    with pytest.raises(UserError, match=r"Numbers: seed \(=-1\) must not be negative"):
        Numbers(seed=-1)
    with pytest.raises(UserError, match=r"batch_size \(=24\) must not exceed the number of training examples \(=23\)"):
        Numbers(24).setup()
    with pytest.raises(UserError, match="call prepare_data"):
        Numbers().train_dataloader()


def test_copies_and_checkpoints_are_plain() -> None:
    datamodule = Numbers(seed=3)
    datamodule.setup()
    loader = datamodule.train_dataloader()
    list(itertools.islice(loader, 2))
    state = datamodule.state_dict()
    position = {"epoch": 0, "step": 2, "size": SIZE, "global_batch": 4}
    assert state == {"seed": 3, "position": position, "pixels": None}
    for twin in (copy.deepcopy(datamodule), pickle.loads(pickle.dumps(datamodule))):
        assert twin.state_dict() == state


TRANSFORMS: list[Transform] = [StochasticBinarisation(), FixedBinarisation(), Dequantisation()]
FRESH = [transform for transform in TRANSFORMS if transform.fresh]


@pytest.mark.parametrize("transform", FRESH)
def test_a_resumed_run_sees_the_noise_of_the_whole_run_bit_by_bit(transform: Transform, tmp_path: Path) -> None:
    whole = PixelRecorder()
    settings: dict[str, Any] = {"max_epochs": 2, "num_sanity_val_steps": 0, "limit_val_batches": 0}
    quiet_trainer(callbacks=[SaveAtEveryStep(tmp_path)], **settings).fit(whole, Greys(transform))
    assert len({x.numpy().tobytes() for x in whole.trained_on}) == 12
    for step in (1, 3, 5, 6, 7, 11):
        torch.manual_seed(100 + step)
        resumed, checkpoint = PixelRecorder(), tmp_path / f"{step}.ckpt"
        quiet_trainer(**settings).fit(resumed, Greys(transform), ckpt_path=checkpoint, weights_only=True)
        for x, expected in zip(resumed.trained_on, whole.trained_on[step:], strict=True):
            assert torch.equal(x, expected)


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_evaluation_inputs_are_the_same_in_every_epoch_run_and_command(transform: Transform) -> None:
    runs = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        model, datamodule = PixelRecorder(), Greys(transform, watch_test=True)
        quiet_trainer(max_epochs=2, num_sanity_val_steps=0).fit(model, datamodule)
        first, second = torch.cat(model.evaluated_on).chunk(2)
        assert torch.equal(first, second)
        validation, watched = first.split([7, 10])
        model.evaluated_on.clear()
        quiet_trainer().test(model, Greys(transform, seed=seed), verbose=False)
        assert torch.equal(torch.cat(model.evaluated_on), watched)
        predicted = quiet_trainer().predict(model, datamodule)
        assert predicted is not None
        assert torch.equal(torch.cat([x for x in predicted if isinstance(x, Tensor)]), watched)
        assert not torch.equal(validation, watched[:7])  # the same images, other noise
        runs.append(first)
    assert torch.equal(*runs)


def test_only_fixed_binarisation_changes_the_training_set_and_for_every_seed_alike() -> None:
    untouched = Greys(None).splits().training.tensors[0]
    for transform in TRANSFORMS:
        sets = []
        for seed in (1, 2):
            datamodule = Greys(transform, seed)
            datamodule.setup()
            first, second = datamodule.train_dataloader(), datamodule.train_dataloader()
            sets += [loader.dataset.tensors[0] for loader in (first, second)]
            for (x, y), (again, _) in zip(first, second, strict=True):
                assert torch.equal(x, again)
                if not transform.fresh:
                    assert torch.equal(x, sets[0][y[:, 0].long()])
        assert all(torch.equal(inputs, sets[0]) for inputs in sets)
        assert torch.equal(sets[0], untouched) == transform.fresh


def test_binarised_evaluation_splits_are_the_same_for_both_binarisations() -> None:
    stochastic, fixed = Greys(StochasticBinarisation()), Greys(FixedBinarisation())
    for datamodule in (stochastic, fixed):
        datamodule.setup()
    for one, other in zip(stochastic.test_dataloader(), fixed.test_dataloader(), strict=True):
        assert torch.equal(one[0], other[0])
        assert set(one[0].unique().tolist()) == {0.0, 1.0}


def test_levels_are_told_of_dequantised_data_only() -> None:
    assert [Greys(transform).levels for transform in (None, *TRANSFORMS)] == [None, None, None, 17]


@pytest.mark.parametrize("transform", FRESH)
def test_overfit_batches_repeats_examples_with_fresh_noise(transform: Transform) -> None:
    model = PixelRecorder()
    quiet_trainer(max_epochs=2, overfit_batches=2).fit(model, Greys(transform))
    assert [examples for _, _, examples in model.seen] == [[0, 1, 2, 3], [4, 5, 6, 7]] * 2
    assert not torch.equal(model.trained_on[0], model.trained_on[2])


def test_transformed_datamodules_can_be_copied() -> None:
    datamodule = Greys(StochasticBinarisation(), seed=3)
    datamodule.setup()
    inputs, _ = next(iter(datamodule.train_dataloader()))
    for twin in (copy.deepcopy(datamodule), pickle.loads(pickle.dumps(datamodule))):
        assert torch.equal(next(iter(twin.train_dataloader()))[0], inputs)
