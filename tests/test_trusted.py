import pytest

from lightning_vi import modules  # noqa: F401  # so that its classes are there
from lightning_vi.errors import UserError
from lightning_vi.trusted import require_trusted


def test_what_a_model_is_made_of_is_trusted() -> None:
    require_trusted(
        {
            "_class_path": "lightning_vi.modules.VAE",
            "encoder": {"class_path": "lightning_vi.networks.MLP", "init_args": {"activation": "torch.nn.Tanh"}},
            "optimizer": [{"class_path": "torch.optim.Adam", "init_args": {"lr": 0.1}}],
            "bayesian": r"head\\..*",
            "latent_size": 3,
            "likelihood": None,
        }
    )


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "builtins.eval",
        "subprocess.Popen",
        "torch.hub.load",
        "torch.utils.data.DataLoader",
        "torch.load",
        "nowhere.Net",
        "lightning_vi.cli.run",
        "lightning_vi.networks.Absent",
    ],
)
@pytest.mark.parametrize("nested", [lambda name: {"class_path": name}, lambda name: [{"a": {"b": name}}], str])
def test_anything_else_is_not(name: str, nested: object) -> None:
    assert callable(nested)
    with pytest.raises(UserError, match=f"it names '{name}'"):
        require_trusted({"encoder": nested(name)})
