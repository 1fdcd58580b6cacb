"""What the datamodules of a user's own files share: what they learn, keep in checkpoints and predict."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from lightning_vi.datamodules.base import InMemoryDataModule, Splits
from lightning_vi.datamodules.classes import Label
from lightning_vi.datamodules.identified import IdentifiedLoader
from lightning_vi.datamodules.learned import Learned
from lightning_vi.datamodules.scaling import Affine, Scaling
from lightning_vi.datamodules.transforms import Transform


class Prepared(NamedTuple):
    """The data, and what their training split has taught.

    Attributes:
        splits: Scaled, not transformed.
        test_ids: What the user calls the test examples, (N,) strings or int64.
        learned: To read and scale other examples alike.
    """

    splits: Splits
    test_ids: np.ndarray
    learned: Learned


class OwnData(InMemoryDataModule, ABC):
    """Reads files that are not known before; so shapes and classes come from the training split.

    With the state of a checkpoint they come from there, and examples are scaled as those of its training were. The
    training files need not be there then to predict `predict`.

    Args:
        batch_size: See `InMemoryDataModule`.
        eval_batch_size: See `InMemoryDataModule`.
        seed: See `InMemoryDataModule`.
        watch_test: See `InMemoryDataModule`.
        transform: See `InMemoryDataModule`.
        predict: What `predict` runs over, by default the test split.
    """

    def __init__(
        self,
        batch_size: int,
        eval_batch_size: int,
        seed: int | None,
        watch_test: bool,
        transform: Transform | None,
        predict: str | None,
    ) -> None:
        super().__init__(batch_size, eval_batch_size, seed, watch_test, transform)
        self.predict = predict
        self._kept: Learned | None = None
        self._scaled_as: Affine | None = None

    @abstractmethod
    def prepared(self, kept: Learned | None) -> Prepared:
        """Read the data.

        Args:
            kept: What the training split of a checkpoint has taught; None to learn from the data.

        Raises:
            UserError: If they are missing or wrong.
        """

    @abstractmethod
    def stream(self, predict: str, learned: Learned) -> Iterable[tuple[Tensor, np.ndarray]]:
        """Inputs (n, *input_shape) and ids (n,) of new examples, some at a time, in order.

        Raises:
            UserError: If they are missing or wrong.
        """

    @property
    def learned(self) -> Learned:
        """What the training split has taught: that of the checkpoint, if there is one."""
        return self._prepared.learned if self._kept is None else self._kept

    @cached_property
    def input_shape(self) -> tuple[int, ...]:  # type: ignore[override]  # known when it is asked for
        """See `InMemoryDataModule`; reads the data."""
        return self.learned.input_shape

    @cached_property
    def target_size(self) -> int:  # type: ignore[override]
        """See `InMemoryDataModule`; reads the data."""
        return self.learned.target_size

    @property
    def classes(self) -> tuple[Label, ...] | None:
        """Labels in the order of the network's classes, None for a regression."""
        return self.learned.classes

    def splits(self) -> Splits:
        """See `InMemoryDataModule.splits`."""
        return self._prepared.splits

    def setup(self, stage: str | None = None) -> None:
        """See `InMemoryDataModule.setup`; to predict other examples, the training's are not read."""
        if stage != "predict" or self.predict is None:
            super().setup(stage)

    def predict_dataloader(self) -> IdentifiedLoader:  # type: ignore[override]
        """What `predict` names, else the test split; in order, with the user's ids."""
        rank, ranks = (0, 1) if self.trainer is None else (self.trainer.global_rank, self.trainer.world_size)
        if self.predict is None:
            inputs, ids = self._read().test.tensors[0], self._prepared.test_ids
            return IdentifiedLoader(lambda: [(inputs, ids)], self.eval_batch_size, rank, ranks)
        source, learned = self.predict, self.learned
        return IdentifiedLoader(lambda: self.stream(source, learned), self.eval_batch_size, rank, ranks)

    def state_dict(self) -> dict[str, Any]:
        """See `InMemoryDataModule.state_dict`; and what the training split has taught."""
        return {**super().state_dict(), "learned": self.learned.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Read and scale as the checkpoint's training did.

        Raises:
            UserError: If a training would go on with other examples.
        """
        kept = Learned.of(state_dict["learned"])
        if self.trainer is not None and self.trainer.state.fn == "fit":
            self.learned.require_same(kept, type(self).__name__)
        # In the test behind a training nothing need be read again.
        elif kept != (self._prepared.learned if "_prepared" in self.__dict__ else self._kept):
            self._kept = kept
            self._forget()  # what is of the files, or of another checkpoint
            if self._splits is not None:
                self._splits = self._transformed(self.splits())
        super().load_state_dict(state_dict)

    def read_as(self, learned: Learned) -> None:
        """Make inputs as another training did, with classes of their own: for data that a model of that one judges.

        Args:
            learned: What that training's split has taught.
        """
        self._kept, self._scaled_as, self._splits = None, learned.scaling, None
        self._forget()

    def fitted(self, scaling: Scaling, raw: Tensor, maximum: float) -> Affine:
        """The map from raw values to inputs: fitted on those of the training split, if it is not given."""
        return scaling.fit(raw, maximum) if self._scaled_as is None else self._scaled_as

    def _forget(self) -> None:
        for name in ("_prepared", "input_shape", "target_size"):
            self.__dict__.pop(name, None)

    @cached_property
    def _prepared(self) -> Prepared:
        return self.prepared(self._kept)
