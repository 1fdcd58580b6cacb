"""How checkpoints reach the disk."""

from pathlib import Path
from typing import Any

import torch
from lightning.fabric.utilities.types import _PATH
from lightning.pytorch.plugins.io import TorchCheckpointIO

from lightning_vi.checkpoint_version import stamped
from lightning_vi.whole_file import whole


class WholeFileCheckpointIO(TorchCheckpointIO):
    """Leaves under the name of a checkpoint the old file or the new one, whenever the process is killed.

    Lightning's own writes to the temporary folder and moves the file from there, which is a copy, and can be cut
    short, where that is another file system.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: _PATH, storage_options: Any | None = None) -> None:
        """See `lightning.pytorch.plugins.io.CheckpointIO.save_checkpoint`; files of this machine only."""
        checkpoint = stamped(checkpoint)
        if storage_options is not None or "://" in str(path):
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        with whole(target) as part:
            torch.save(checkpoint, part)
