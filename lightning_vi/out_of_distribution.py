"""A classifier's test against a second data set, of another distribution: `--ood` of `fit` and `test`."""

from collections.abc import Iterator
from contextlib import contextmanager

from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar
from torch import Tensor

from lightning_vi.datamodules.own_data import OwnData
from lightning_vi.datamodules.shifted import unshifted
from lightning_vi.detection import Detection
from lightning_vi.errors import UserError
from lightning_vi.likelihoods import Categorical
from lightning_vi.modules.inputs import inputs_of
from lightning_vi.modules.supervised import SupervisedModule


def require_detectable(
    trainer: Trainer, model: LightningModule, datamodule: LightningDataModule, other: LightningDataModule
) -> None:
    """Read the other data's test split, and refuse what could not be compared.

    Files of a user's own are read and scaled as the model's are: by their own mean and standard deviation, data that
    lie elsewhere would lie in the same place.

    Before all else: a wrong file should stop a run before its training, not after.

    Args:
        trainer: of the command; its first process alone does it, since the others may have no data yet.
        model: whose uncertainty is judged.
        datamodule: the model's data.
        other: the data that count as out-of-distribution.

    Raises:
        UserError: if the model predicts no classes, or if the data are missing or of inputs of another shape.
    """
    if not (isinstance(model, SupervisedModule) and isinstance(model.likelihood, Categorical)):
        raise UserError(f"--ood needs the uncertainty of a classifier; {type(model).__name__} predicts no classes.")
    own, read = unshifted(datamodule), unshifted(other)
    if isinstance(own, OwnData) and isinstance(read, type(own)):
        read.read_as(own.learned)
    if not trainer.is_global_zero:
        return
    other.prepare_data()
    other.setup("test")
    first = next(iter(other.test_dataloader()), None)
    if first is None:
        raise UserError(f"--ood {type(other).__name__} has no data for a test. Choose data with a test split.")
    shape = tuple(inputs_of(first).shape[1:])
    if shape != model.input_shape:
        raise UserError(
            f"--ood {type(other).__name__}: its inputs have the shape {shape}, those of the model {model.input_shape}. "
            "Choose data of the same shape."
        )


def detection_scores(
    trainer: Trainer, model: LightningModule, datamodule: LightningDataModule, other: LightningDataModule
) -> dict[str, float]:
    """Scores of telling another data set's test split from the model's own: ``test/ood_auroc_entropy`` and so on.

    They are logged too. The model is taken as it stands after a test, which gives all devices the same weight draws.

    Args:
        trainer: Runs both tests; of its callbacks with the progress bar alone, since pictures are of the test split.
        model: See `require_detectable`.
        datamodule: The model's data.
        other: The data that count as out-of-distribution, see `require_detectable`.
    """
    test = _DetectionTest(model)
    with _only_progress(trainer):
        trainer.test(test, datamodule=datamodule, verbose=False)
        test.is_other = True
        (scores,) = trainer.test(test, datamodule=other, verbose=False)
    return dict(scores)


class _DetectionTest(LightningModule):  # private, so that the command line does not offer it as a model
    def __init__(self, model: LightningModule) -> None:
        super().__init__()
        assert isinstance(model, SupervisedModule)
        self.model = model
        self.detection = Detection()
        self.is_other = False

    def test_step(self, batch: Tensor | tuple[Tensor, ...], batch_idx: int) -> None:
        self.detection.update(self.model.predictive(inputs_of(batch)), self.is_other)

    def on_test_epoch_end(self) -> None:
        if self.is_other:
            scores = self.detection.compute()
            # torchmetrics has gathered all devices' examples; sync_dist says so to Lightning, which would warn.
            self.log_dict({f"test/ood_{name}": value for name, value in scores.items()}, sync_dist=True)


@contextmanager
def _only_progress(trainer: Trainer) -> Iterator[None]:
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]  # set at run time
    trainer.callbacks = [each for each in callbacks if isinstance(each, ProgressBar)]  # type: ignore[attr-defined]
    try:
        yield
    finally:
        trainer.callbacks = callbacks  # type: ignore[attr-defined]
