"""How checkpoints reach the disk, and come from it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightning.fabric.utilities.types import _PATH
from lightning.pytorch.plugins.io import TorchCheckpointIO

from lightning_vi import checkpoints
from lightning_vi.checkpoint_version import migrated, stamped
from lightning_vi.errors import UserError

VERSION = "pytorch-lightning_version"
"""What every checkpoint of a Trainer has."""


class WholeFileCheckpointIO(TorchCheckpointIO):
    """Leaves under the name of a checkpoint the old file or the new one, whenever the process is killed.

    Lightning's own writes to the temporary folder and moves the file from there, which is a copy, and can be cut
    short, where that is another file system. Files have a checksum, which is compared when they are loaded. They are
    loaded as data, whatever Lightning is told.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: _PATH, storage_options: Any | None = None) -> None:
        """See `lightning.pytorch.plugins.io.CheckpointIO.save_checkpoint`; files of this machine only."""
        checkpoint = stamped(checkpoint)
        if storage_options is not None or "://" in str(path):
            super().save_checkpoint(checkpoint, path, storage_options)
        else:
            checkpoints.write(checkpoint, Path(path))

    def load_checkpoint(
        self,
        path: _PATH,
        map_location: Callable[..., Any] | None = lambda storage, location: storage,
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        """See `lightning.pytorch.plugins.io.CheckpointIO.load_checkpoint`.

        Raises:
            UserError: if the file is damaged, or holds no more than weights.
        """
        if "://" not in str(path):
            checkpoints.require_whole(Path(path))
        checkpoint = super().load_checkpoint(path, map_location, weights_only=True)
        if VERSION not in checkpoint:
            raise UserError(f"{path} has no '{VERSION}': it is not a checkpoint of a Trainer. Give one of `fit`.")
        return migrated(checkpoint)
