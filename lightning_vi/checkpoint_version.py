"""The format of checkpoints: a number in each, by which one of another version of this package is known.

The number is raised when a checkpoint of the version before cannot be gone on with, or is read in another way.
Checkpoints from before the number was introduced have none; what they hold is read as what format 1 holds.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning_vi import __version__
from lightning_vi.errors import UserError

KEY = "lightning_vi_format"

FORMAT = 1
"""That of the checkpoints that this version writes."""


def stamped(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """What is written for a checkpoint: its contents and the format's number."""
    return {**checkpoint, KEY: FORMAT}


def migrated(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """The contents of a known checkpoint as those of format 1.

    Without a number it has the mean of the devices' sums, and the random state of the first device alone.
    """
    contents = dict(checkpoint)
    if KEY not in contents:
        if (totals := contents.pop("epoch_totals", None)) is not None:
            contents["epoch_sums"] = {"sums": totals["sums"].unsqueeze(0), "steps": totals["steps"], "left_out": 0}
        if (state := contents.pop("random_state", None)) is not None:
            contents["random_states"] = [state]
    return contents


def require_known(checkpoint: Mapping[str, Any], path: Path) -> None:
    """Refuse a checkpoint of a format that this version does not know.

    Raises:
        UserError: if the checkpoint at `path` has one.
    """
    found = checkpoint.get(KEY, FORMAT)
    if found != FORMAT:
        raise UserError(
            f"{path} has the checkpoint format {found}, but lightning-vi {__version__} reads format {FORMAT} only. "
            "Use the version that has written it."
        )
