import torch
from lightning.pytorch import Trainer
from torch import Tensor


def of_all_ranks(trainer: Trainer, own: Tensor) -> Tensor:
    """A tensor (...) of each process, by rank (R, ...), on the CPU. Every process has to come here."""
    if trainer.world_size == 1:
        return own.detach().cpu().unsqueeze(0)
    own = own.detach().to(trainer.strategy.root_device).contiguous()
    parts = [torch.empty_like(own) for _ in range(trainer.world_size)]
    torch.distributed.all_gather(parts, own)
    return torch.stack(parts).cpu()
