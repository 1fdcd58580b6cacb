"""How far a code is from the best linear one."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.types import STEP_OUTPUT
from torch import Tensor
from torch.utils.data import DataLoader

from lightning_vi.callbacks.notices import Notices
from lightning_vi.encoder_decoder import EncoderDecoder


@runtime_checkable
class TransformingLoader(Protocol):
    """A loader that transforms the inputs of its data set anew at every step."""

    transform: Callable[[Tensor, int, int, int, slice], Tensor] | None


class PrincipalComponents(Callback):
    """Logs `test/mse_pca`: the squared error of scikit-learn's PCA, per pixel, averaged over pixels and examples.

    It has as many components as the code has variables (no more than there are pixels or training examples), is fitted
    to all training inputs of the datamodule and judged on the same test inputs as the model. Where training inputs are
    transformed anew at every step, such as binarised ones, it is fitted to one draw of them, the same on every device;
    the draw depends on the datamodule's seed.

    A linear autoencoder with squared errors comes as far as PCA and no further; nonlinear ones may.

    References:
        Baldi, Hornik 1989, Neural Networks and Principal Component Analysis: Learning from Examples Without Local
        Minima.
    """

    def __init__(self) -> None:
        self._pca: Any = None
        self._error = 0.0
        self._examples = 0
        self._notices = Notices()

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Fit."""
        # Imported here: scikit-learn takes longer to import than the command line to print its help.
        from sklearn.decomposition import PCA

        self._pca, self._error, self._examples = None, 0.0, 0
        models = [module for module in pl_module.modules() if isinstance(module, EncoderDecoder)]
        datamodule = trainer.datamodule  # type: ignore[attr-defined]  # set at run time
        if not models:
            self._notices.say(f"PrincipalComponents logs nothing: {type(pl_module).__name__} has no code.")
        elif datamodule is None:
            self._notices.say("PrincipalComponents logs nothing: without a datamodule there are no training inputs.")
        else:
            rows = training_inputs(datamodule.train_dataloader()).double().numpy()
            components = min(models[0].code_size, *rows.shape)
            # The exact solver whatever the size, so that every device finds the same.
            self._pca = PCA(components, svd_solver="covariance_eigh").fit(rows)

    def on_test_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: STEP_OUTPUT, batch: Any, *_: Any
    ) -> None:
        """Add the batch's errors."""
        if self._pca is None or len(batch[0]) == 0:
            return
        rows = batch[0].flatten(start_dim=1).float().cpu().double().numpy()
        residuals = rows - self._pca.inverse_transform(self._pca.transform(rows))
        self._error += float((residuals**2).mean(axis=1).sum())
        self._examples += len(rows)

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Add up over devices and log."""
        if self._pca is None:
            return
        sums = torch.tensor([self._error, self._examples], device=pl_module.device)
        error, examples = trainer.strategy.reduce(sums, reduce_op="sum")
        # All devices have the same value now; sync_dist says so to Lightning, which would warn.
        pl_module.log("test/mse_pca", error / examples, sync_dist=True)


def training_inputs(loader: Any) -> Tensor:
    """All inputs of a training loader's data set, as its steps see them, (N, D), in host memory."""
    transform = loader.transform if isinstance(loader, TransformingLoader) else None
    # PyTorch's loaders draw a seed; by a generator of its own PyTorch's global one stays where it is.
    batches = DataLoader(loader.dataset, batch_size=1000, generator=torch.Generator())
    rows = []
    for step, (inputs, *_) in enumerate(batches):
        if transform is not None:
            inputs = transform(inputs, 0, step, len(inputs), slice(0, len(inputs)))
        rows.append(inputs.flatten(start_dim=1).cpu())
    return torch.cat(rows)
