from pathlib import Path
from typing import Any

import pytest
import torch
from matplotlib.image import imread

from lightning_vi import sample_command
from lightning_vi.__main__ import main
from lightning_vi.latent_space import prior_samples
from lightning_vi.loading import load
from lightning_vi.modules import VAE
from tests.latents import spy, vae

SHORT = [
    "--trainer.accelerator=cpu",
    "--trainer.max_epochs=1",
    "--trainer.limit_train_batches=2",
    "--trainer.limit_val_batches=0",
    "--test_checkpoint=none",
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of each of `vae_digits.yaml`, with two latent variables, and `bbb_digits.yaml`."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS"):
            patch.setenv(name, "0")
        assert main(["fit", "--config=vae_digits.yaml", "--model.latent_size=2", *SHORT]) == 0
        assert main(["fit", "--config=bbb_digits.yaml", *SHORT]) == 0
    return folder / "runs"


@pytest.fixture
def checkpoint(runs: Path, tmp_path: Path) -> Path:
    """A run's checkpoint in a folder of this test's own."""
    path = tmp_path / "runs" / "checkpoints" / "last.ckpt"
    path.parent.mkdir(parents=True)
    path.write_bytes((runs / "vae_digits/version_0/checkpoints/last.ckpt").read_bytes())
    return path


def change(path: Path, settings: dict[str, Any]) -> None:
    """Change what a checkpoint says of its model."""
    content = torch.load(path, weights_only=True)
    content["hyper_parameters"].update(settings)
    torch.save(content, path)


def test_draws_everything_into_the_runs_folder(checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sample", str(checkpoint)]) == 0
    files = [checkpoint.parents[1] / "samples" / f"{name}.png" for name in sample_command.PICTURES]
    assert capsys.readouterr().out.splitlines() == [str(file) for file in files]
    for file in files:
        assert imread(file).std() > 0.05


def test_the_model_is_the_checkpoints(checkpoint: Path) -> None:
    module = load(checkpoint, VAE)
    assert isinstance(module, VAE)
    assert not module.training
    state = torch.load(checkpoint, weights_only=True)["state_dict"]
    assert state.keys() == module.state_dict().keys()
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())


def test_options(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = spy(monkeypatch, "lightning_vi.latent_pictures.prior_samples", prior_samples)
    out = tmp_path / "a" / "b"
    for seed in ("3", "3", "4"):
        options = ["--rows=2", "--columns=3", f"--seed={seed}", f"--out={out}"]
        assert main(["sample", str(checkpoint), "--what", "prior", "traversals", *options]) == 0
        (out / "prior.png").rename(tmp_path / f"{len(calls)}.png")
    assert [path.name for path in out.iterdir()] == ["traversals.png"]
    assert [(call["count"], call["seed"]) for call in calls] == [(6, 3), (6, 3), (6, 4)]
    first, again, other = ((tmp_path / f"{number}.png").read_bytes() for number in (1, 2, 3))
    assert first == again != other


def test_without_a_run_the_folder_is_beside_the_checkpoint(checkpoint: Path, tmp_path: Path) -> None:
    lone = tmp_path / "lone.ckpt"
    checkpoint.rename(lone)
    assert main(["sample", str(lone), "--what", "prior"]) == 0
    assert (tmp_path / "samples" / "prior.png").is_file()


def refused(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    """The line that is told."""
    capsys.readouterr()
    assert main(["sample", *args]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line.removeprefix("lightning-vi: ")


def test_mistakes_in_the_arguments(checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(checkpoint)
    assert refused(capsys) == "sample needs a checkpoint, e.g. runs/NAME/version_0/checkpoints/last.ckpt."
    assert refused(capsys, f"{path[:-9]}lst.ckpt") == f"{path[:-9]}lst.ckpt: no such file. Did you mean '{path}'?"
    assert refused(capsys, path, "--rows=0") == "--rows (=0) must be at least 1."
    assert refused(capsys, path, "--columns=1") == "--columns (=1) must be at least 2."
    assert refused(capsys, path, "--seed=-1") == "--seed (=-1) must be at least 0."
    assert "expected int or null, got 'x'" in refused(capsys, path, "--rows=x")
    assert "expected 'prior', 'manifold', 'traversals', 'interpolations', got 'all'" in refused(
        capsys, path, "--what", "all"
    )
    assert refused(capsys, path, "--wat") == "there is no option '--wat'. Did you mean '--what'?"
    assert refused(capsys, path, f"--out={path}") == f"--out {path}: File exists."


def test_other_files_are_refused(checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole, path = checkpoint.read_bytes(), str(checkpoint)
    unreadable = "it has been cut short, or is not a file of torch.save"
    for content, reason in (
        (b"", "it is empty"),
        (b"text", unreadable),
        (whole[: len(whole) // 2], unreadable),
        (whole[:1000] + b"?" + whole[1001:], "its checksum is not that of its content"),
    ):
        checkpoint.write_bytes(content)
        assert refused(capsys, path) == f"{path} is not a checkpoint, or is damaged: {reason}."
    torch.save({"weights": torch.zeros(3)}, checkpoint)
    assert "is not a checkpoint of Lightning" in refused(capsys, path)


def test_a_checkpoint_from_python_does_not_say_how_to_build_its_model(
    checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    module, _ = vae()
    torch.save({"state_dict": module.state_dict(), "hyper_parameters": dict(module.hparams)}, checkpoint)
    assert "does not say how to build its model" in refused(capsys, str(checkpoint))


def test_a_model_that_cannot_be_built_is_told(checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for settings, reason in (
        ({"latent_size": 3}, "Error(s) in loading state_dict for VAE: size mismatch for model.encoders.0"),
        ({"latent_size": 0}, "latent_size and the sizes of upper (=(0,)) must be at least 1."),
        ({"draws": "many"}, "module.draws: expected int, got 'many'."),
        ({"encoder": {"class_path": "nowhere.Net"}}, "it names 'nowhere.Net', which is no class of lightning_vi"),
    ):
        change(checkpoint, settings)
        line = refused(capsys, str(checkpoint))
        assert line.startswith(f"{checkpoint}: its model, lightning_vi.modules.VAE, cannot be built: {reason}")


def test_nothing_that_a_checkpoint_names_is_imported_as_its_model(
    checkpoint: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (checkpoint.parent / "evil.py").write_text("raise SystemExit('code has been run')")
    monkeypatch.syspath_prepend(checkpoint.parent)
    change(checkpoint, {"_class_path": "evil.Module"})
    assert "its model, evil.Module, cannot be built" in refused(capsys, str(checkpoint))


def test_what_a_model_has_not(runs: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bayesian = runs / "bbb_digits/version_0/checkpoints/last.ckpt"
    assert refused(capsys, str(bayesian)) == f"{bayesian}: BayesByBackprop has no latent variables to sample."
    assert not (bayesian.parents[1] / "samples").exists()


def test_a_manifold_is_told_only_if_it_was_asked_for(
    checkpoint: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    module, _ = vae(latent_size=3)
    monkeypatch.setattr(sample_command, "load", lambda path, kind: module.eval())
    line = refused(capsys, str(checkpoint), "--what", "prior", "manifold")
    assert line == f"{checkpoint}: a manifold needs 2 latent variables, and the model has 3."
    assert not (checkpoint.parents[1] / "samples").exists()
    assert main(["sample", str(checkpoint)]) == 0
    names = {path.stem for path in (checkpoint.parents[1] / "samples").iterdir()}
    assert names == {"prior", "traversals", "interpolations"}


def test_nothing_that_a_checkpoint_names_is_called(
    checkpoint: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("evil.py").write_text("open('imported', 'w').close()\n")
    saved = torch.load(checkpoint, weights_only=True)
    for spec in ({"class_path": "os.system", "init_args": {"command": "touch called"}}, "evil.Net"):
        encoder = {"class_path": "lightning_vi.networks.MLP", "init_args": {"activation": spec}}
        torch.save({**saved, "hyper_parameters": {**saved["hyper_parameters"], "encoder": encoder}}, checkpoint)
        assert "it names '" in refused(capsys, str(checkpoint))
    assert not Path("called").exists()
    assert not Path("imported").exists()
