from torch import Tensor


def inputs_of(batch: Tensor | tuple[Tensor, ...] | list[Tensor]) -> Tensor:
    """Inputs (B, ...) of a batch with or without targets."""
    return batch if isinstance(batch, Tensor) else batch[0]
