from typing import Any

from lightning.pytorch import Trainer


def trainer(**options: Any) -> Trainer:
    """A trainer of one epoch on the CPU that writes nothing."""
    return Trainer(
        **{
            "accelerator": "cpu",
            "max_epochs": 1,
            "logger": False,
            "enable_checkpointing": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            **options,
        }
    )
