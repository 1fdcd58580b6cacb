from collections.abc import Sequence

from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure

from lightning_vi.callbacks.latent_picture import LatentPicture
from lightning_vi.callbacks.run_folder import run_folder
from lightning_vi.callbacks.units import Units, measured_units
from lightning_vi.plots import usage_bars

HEADER = "layer,latent,kl,variance_of_mean,active"


class LatentUsage(LatentPicture):
    """Draws the KL of each latent variable, as `latent_usage`, and writes `<run folder>/latents.csv`.

    The file has a line for each latent variable: `layer`, from 1 upwards; `latent`, from 0; `kl`, its mean over the
    test data in nats, for layers below the last that of log q - log p, which can be negative; `variance_of_mean`, the
    variance over the test data of the mean of q; `active`, 1 if that is large enough for the variable to count as used,
    else 0.
    """

    name = "latent_usage"

    def figure(self, trainer: Trainer, module: LightningModule) -> Figure:
        """See `LatentPicture.figure`; writes the file too."""
        units = measured_units(module)
        if not trainer.fast_dev_run:  # type: ignore[attr-defined]  # set at run time
            path = run_folder(trainer) / "latents.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join([HEADER, *table(units)]) + "\n", encoding="utf-8")
        return usage_bars([each.kl.cpu() for each in units], [each.active.cpu() for each in units])


def table(units: Sequence[Units]) -> list[str]:
    """The lines of the file below its header."""
    return [
        f"{layer},{latent},{kl:.6g},{variance:.6g},{active:d}"
        for layer, each in enumerate(units, start=1)
        for latent, (kl, variance, active) in enumerate(
            zip(each.kl.tolist(), each.variance.tolist(), each.active.tolist(), strict=True)
        )
    ]
