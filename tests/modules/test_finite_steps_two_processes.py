"""What one of two processes meets ends, or skips, the step of both, with the same words."""

import subprocess
import sys
from pathlib import Path

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from lightning_vi.errors import UserError
from lightning_vi.modules.finite_steps import FiniteSteps


class Line(LightningModule):
    """Rank 1 alone meets a loss that is infinite and whose gradient is finite, at its third minibatch."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(2, 1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss: Tensor = (self.layer(batch[0]) - 1.0).square().mean()
        return loss + torch.inf if self.global_rank == 1 and batch_idx == 2 else loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.1)


def run(folder: Path) -> None:
    for skip in (0, 1):
        finite_steps, module = FiniteSteps(skip), Line()
        trainer = Trainer(
            accelerator="cpu", devices=2, strategy="ddp", max_epochs=1, callbacks=[finite_steps], logger=False,
            enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        )  # fmt: skip
        told = "nothing"
        try:
            trainer.fit(module, DataLoader(TensorDataset(torch.rand(16, 2, generator=torch.Generator())), 2))
        except UserError as error:
            told = str(error)
        weights = torch.cat([each.flatten() for each in module.parameters()]).tolist()
        text = f"{told}\n{trainer.global_step} steps, {finite_steps.skipped} skipped, {weights}\n"
        (folder / f"{skip}.{trainer.global_rank}").write_text(text)


def test_both_processes_stop_or_skip(tmp_path: Path) -> None:
    subprocess.run([sys.executable, __file__, str(tmp_path)], check=True, timeout=120)
    stopped, skipped = ([(tmp_path / f"{skip}.{rank}").read_text() for rank in range(2)] for skip in (0, 1))
    assert stopped[0] == stopped[1]
    assert stopped[0].startswith("Line: loss (=inf) is not finite at step 3 (epoch 1, learning rate 0.1).\n")
    assert "\n2 steps, 0 skipped" in stopped[0]
    assert skipped[0] == skipped[1]
    assert skipped[0].startswith("nothing\n4 steps, 1 skipped")


if __name__ == "__main__":
    run(Path(sys.argv[1]))
