import copy
import pickle
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import seed_everything
from lightning.pytorch.cli import OptimizerCallable
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from lightning_vi.__main__ import main
from lightning_vi.bayesian import BayesianModule
from lightning_vi.datamodules import Digits
from lightning_vi.errors import UserError
from lightning_vi.likelihoods import Gaussian
from lightning_vi.modules import BayesByBackprop, DeepEnsemble, MeanField, PointEstimate
from lightning_vi.networks import MLP, StackedNetworks
from tests.bare_trainer import trainer

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*does not have many workers", "ignore:You defined a `validation_step` but have no `val_dataloader`"
)
NET = partial(MLP, hidden=[8])
SGD = partial(torch.optim.SGD, lr=0.1)
CLASSIFIED = {f"test/{name}" for name in ("error", "error_members", "nll", "ece", "ece_adaptive", "brier", "aurc")}


def data(size: int = 23) -> TensorDataset:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(size, 4, generator=generator)
    return TensorDataset(x, (x.sum(1) > 0).long())


def ensemble(**options: Any) -> DeepEnsemble:
    seed_everything(1, verbose=False)
    return DeepEnsemble(
        **{"net": NET, "input_shape": (4,), "target_size": 2, "members": 3, "optimizer": SGD, **options}
    )


def weights(net: nn.Module) -> Tensor:
    return nn.utils.parameters_to_vector(net.parameters()).detach()


def networks(module: DeepEnsemble) -> list[nn.Module]:
    assert isinstance(module.networks, StackedNetworks)
    return [module.networks.member(number) for number in range(module.members)]


@pytest.mark.parametrize("members", [2, 3])
@pytest.mark.parametrize("optimizer", [SGD, partial(torch.optim.Adam, lr=0.01)], ids=["SGD", "Adam"])
def test_members_train_as_if_they_were_alone(members: int, optimizer: OptimizerCallable) -> None:
    module = ensemble(members=members, optimizer=optimizer)
    alone = [PointEstimate(copy.deepcopy(network), (4,), 2, optimizer=optimizer) for network in networks(module)]
    run, loader, nll = trainer(max_epochs=3), DataLoader(data(), 5), []
    run.fit(module, loader)
    for single, network in zip(alone, networks(module), strict=True):
        run_alone = trainer(max_epochs=3)
        run_alone.fit(single, loader)
        nll.append(run_alone.callback_metrics["train/nll"])
        torch.testing.assert_close(weights(network), weights(single.model), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(run.callback_metrics["train/nll"], torch.stack(nll).mean())
    torch.testing.assert_close(run.callback_metrics["train/loss"], run.callback_metrics["train/nll"])
    assert not {"train/kl", "train/elbo"} & set(run.callback_metrics)


def test_members_start_apart() -> None:
    first, second, third = (weights(network) for network in networks(ensemble()))
    assert (first != second).any()
    assert (second != third).any()
    assert (first != third).any()


def test_members_have_masks_of_their_own() -> None:
    module = ensemble(net=partial(MLP, hidden=[64], dropout=0.5))
    with torch.no_grad():
        for parameter in module.networks.parameters():
            parameter.copy_(parameter[:1].expand_as(parameter))
    first, second, third = module.outputs(data().tensors[0])
    assert not torch.equal(first, second)
    assert not torch.equal(second, third)


def test_probabilities_are_averaged_and_not_logits() -> None:
    module = ensemble().eval()
    x = 5 * data().tensors[0]
    logits = module.outputs(x).squeeze(1).detach()
    predictive = module.predictive(x)
    assert predictive.outputs.shape == (3, 23, 2)
    torch.testing.assert_close(predictive.probabilities, logits.softmax(-1).mean(0))
    assert (predictive.probabilities - logits.mean(0).softmax(-1)).abs().max() > 0.01
    assert (predictive.mutual_information > 0).all()
    assert not predictive.outputs.requires_grad


def test_one_member_is_a_point_estimate() -> None:
    module = ensemble(members=1).eval()
    alone = PointEstimate(networks(module)[0], (4,), 2).eval()
    x = data().tensors[0]
    torch.testing.assert_close(module.predictive(x).outputs, alone.predictive(x).outputs)


def test_the_members_error_is_the_mean_of_theirs() -> None:
    module, loader = ensemble(), DataLoader(data(), 7)
    x, y = data().tensors
    (test,) = trainer().test(module, loader, verbose=False)
    (val,) = trainer().validate(module, loader, verbose=False)
    assert set(test) == CLASSIFIED
    wrong = module.outputs(x).squeeze(1).argmax(-1) != y
    assert test["test/error_members"] == pytest.approx(100 * float(wrong.float().mean()))
    assert val["val/error_members"] == test["test/error_members"]
    assert test["test/error"] != test["test/error_members"]


def test_a_regressor_shares_its_noise() -> None:
    x = torch.linspace(-1, 1, 30).unsqueeze(1)
    y = x.square()
    noise = Gaussian(0.3, learn=True)
    module = ensemble(input_shape=(1,), target_size=1, likelihood=noise, optimizer=partial(torch.optim.SGD, lr=1e-3))
    start = noise.log_sigma.detach().clone()
    nll = -torch.distributions.Normal(module.outputs(x), noise.sigma).log_prob(y).mean((1, 2, 3))
    (gradient,) = torch.autograd.grad(nll.sum(), [noise.log_sigma])
    loader = DataLoader(TensorDataset(x, y), 30)
    trainer().fit(module, loader)
    torch.testing.assert_close(noise.log_sigma.detach(), start - 1e-3 * gradient)
    (test,) = trainer().test(module, loader, verbose=False)
    names = {"rmse", "rmse_members", "nll", "crps", "coverage_50", "coverage_90", "coverage_95"}
    assert set(test) == {f"test/{name}" for name in names}
    squares = (module.outputs(x).detach() - y).square().mean()
    assert test["test/rmse_members"] == pytest.approx(float(squares.sqrt()))
    assert test["test/rmse"] < test["test/rmse_members"]


def test_every_parameter_receives_a_gradient() -> None:
    module = ensemble()
    x, y = data().tensors
    module.likelihood.nll(module.outputs(x).squeeze(1), y).sum().backward()
    assert all(parameter.grad is not None for parameter in module.parameters())


def test_a_checkpoint_loads_as_data(tmp_path: Path) -> None:
    module, run = ensemble(), trainer()
    run.fit(module, DataLoader(data(), 5))
    run.save_checkpoint(tmp_path / "a.ckpt")
    loaded = DeepEnsemble.load_from_checkpoint(tmp_path / "a.ckpt", weights_only=True, net=NET)
    assert loaded.hparams["members"] == 3
    x = data().tensors[0]
    assert torch.equal(loaded.eval().predictive(x).probabilities, module.eval().predictive(x).probabilities)


def test_copies_are_whole() -> None:
    module = ensemble().eval()
    x = data().tensors[0]
    for copied in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert torch.equal(copied.predictive(x).outputs, module.predictive(x).outputs)
    assert "(networks): StackedNetworks(" in repr(module)
    assert "3 x MLP(" in repr(module)


def test_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS"):
        monkeypatch.setenv(name, "0")
    options = ["--model=DeepEnsemble", "--model.net=MLP", "--model.net.hidden=[8]", "--model.members=2"]
    options += ["--data=Digits", "--trainer.accelerator=cpu", "--trainer.max_epochs=1"]
    assert main(["fit", *options]) == 0
    assert main(["predict", *options, "--ckpt_path=last"]) == 0
    (file,) = tmp_path.rglob("last.ckpt")
    loaded = DeepEnsemble.load_from_checkpoint(file, weights_only=True)
    assert loaded.predictive(torch.rand(3, 1, 8, 8)).outputs.shape == (2, 3, 10)
    (predictions,) = tmp_path.rglob("predictions.csv")
    information = [float(line.rsplit(",", 1)[1]) for line in predictions.read_text().splitlines()[1:]]
    assert max(information) > 0


@pytest.mark.parametrize("members", [0, -1])
def test_an_ensemble_of_nobody_is_refused(members: int) -> None:
    with pytest.raises(UserError, match=rf"DeepEnsemble: members \(={members}\) must be at least 1"):
        ensemble(members=members)


def test_one_network_for_all_members_is_refused() -> None:
    net = nn.Linear(4, 2)
    for shared in (net, lambda input_shape, output_size: net):
        with pytest.raises(UserError, match="net gives one Linear for all members, which would stay alike"):
            ensemble(net=shared)
        with pytest.raises(UserError, match="net gives one Linear for all members, which would stay alike"):
            ensemble(net=shared, members=2)


def test_one_network_is_enough_for_one_member() -> None:
    net = nn.Linear(4, 2)
    for own in (net, lambda input_shape, output_size: net):
        (member,) = networks(ensemble(net=own, members=1))
        assert torch.equal(weights(member), weights(net))


OPTIONS = ["--model.net=MLP", "--model.net.hidden=[8]", "--model.optimizer=Adam", "--model.optimizer.lr=0.01"]
RUN = ["--data=Digits", "--trainer.accelerator=cpu", "--trainer.max_epochs=2"]


def fitted(folder: Path, seed: int, *options: str) -> dict[str, Any]:
    """What a run of the command line leaves behind: the state of its module."""
    assert main(["fit", f"--seed_everything={seed}", *options, *OPTIONS, *RUN, f"--name={folder.name}"]) == 0
    (file,) = folder.rglob("last.ckpt")
    state: dict[str, Any] = torch.load(file, weights_only=True)["state_dict"]
    return state


@pytest.mark.parametrize("batched", [True, False], ids=["batched", "loop"])
def test_members_are_the_runs_of_their_seeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batched: bool) -> None:
    monkeypatch.setattr("lightning_vi.networks.stacked.BATCHED_BELOW", 10**9 if batched else 0)
    monkeypatch.chdir(tmp_path)
    runs = tmp_path / "runs"
    together = fitted(runs / "e", 5, "--model=DeepEnsemble", "--model.members=2", "--model.own_orders=true")
    for member in range(2):
        alone = fitted(runs / f"p{member}", 5 + member, "--model=PointEstimate")
        for name, value in alone.items():
            stacked = together[
                name.replace("model.", "networks.").replace(".weight", "/weight").replace(".bias", "/bias")
            ]
            torch.testing.assert_close(stacked[member], value, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("batched", [True, False], ids=["batched", "loop"])
def test_bayesian_members_are_the_runs_of_their_seeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batched: bool
) -> None:
    monkeypatch.setattr("lightning_vi.networks.stacked.BATCHED_BELOW", 10**9 if batched else 0)
    monkeypatch.chdir(tmp_path)
    runs = tmp_path / "runs"
    options = ["--model=DeepEnsemble", "--model.members=2", "--model.own_orders=true"]
    together = fitted(runs / "e", 5, *options, "--model.mean_field=MeanField", "--model.mean_field.draws=2")
    module = DeepEnsemble.load_from_checkpoint(next((runs / "e").rglob("last.ckpt")), weights_only=True)
    assert isinstance(module.networks, BayesianModule)
    for member in range(2):
        fitted(runs / f"b{member}", 5 + member, "--model=BayesByBackprop", "--model.draws=2")
        alone = BayesByBackprop.load_from_checkpoint(next((runs / f"b{member}").rglob("last.ckpt")), weights_only=True)
        for ours, theirs in ((module.networks.mu, alone.model.mu), (module.networks.rho, alone.model.rho)):
            stacked, single = module.networks.split(ours), alone.model.split(theirs)
            for name, value in single.items():
                torch.testing.assert_close(stacked[name.replace(".", "/")][member], value, rtol=1e-4, atol=1e-5)
        assert together["_extra_state"]["seeds"][member] == alone.model.noise.seed
        x = torch.rand(5, 1, 8, 8)
        predicted = module.eval().single_predictives(x, module.predictive(x))[member].probabilities
        torch.testing.assert_close(predicted, alone.eval().predictive(x).probabilities, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("mean_field", [None, MeanField(draws=2)], ids=["point", "bayesian"])
def test_members_scores_are_noted_and_not_logged(mean_field: MeanField | None) -> None:
    seed_everything(1, verbose=False)
    options: dict[str, Any] = {"members": 2, "own_orders": True, "mean_field": mean_field}
    module, digits, run = DeepEnsemble(NET, (1, 8, 8), 10, **options).eval(), Digits(), trainer()
    (logged,) = run.test(module, datamodule=digits, verbose=False)
    assert set(logged) == CLASSIFIED
    inputs, targets = next(iter(digits.test_dataloader()))
    for number, each in enumerate(module.single_predictives(inputs, module.predictive(inputs))):
        error = 100 * float((each.probabilities.argmax(-1) != targets).float().mean())
        assert float(run.callback_metrics[f"test/error/{number}"]) == pytest.approx(error)
        assert float(run.callback_metrics[f"test/nll/{number}"]) == pytest.approx(float(each.nll(targets).mean()))
    for number, each in enumerate(module.predictives_at_mean(inputs)):
        error = 100 * float((each.probabilities.argmax(-1) != targets).float().mean())
        assert float(run.callback_metrics[f"test/error_mean/{number}"]) == pytest.approx(error)
    assert ("test/error_mean/1" in run.callback_metrics) == (mean_field is not None)


def test_the_datamodule_is_left_as_it_was() -> None:
    seed_everything(1, verbose=False)
    digits = Digits(batch_size=64)
    for module in (DeepEnsemble(NET, (1, 8, 8), 10, members=2, own_orders=True), PointEstimate(NET, (1, 8, 8), 10)):
        trainer().fit(module, datamodule=digits)
    assert digits.orders == 1


def test_bayesian_members_resume_to_the_bit(tmp_path: Path) -> None:
    def module() -> DeepEnsemble:
        return ensemble(mean_field=MeanField(), optimizer=partial(torch.optim.Adam, lr=0.01))

    loader, whole, first, second = (
        DataLoader(data(), 5),
        trainer(max_epochs=4),
        trainer(max_epochs=2),
        trainer(max_epochs=4),
    )
    whole.fit(uninterrupted := module(), loader)
    first.fit(module(), loader)
    first.save_checkpoint(tmp_path / "half.ckpt")
    seed_everything(7, verbose=False)
    resumed = DeepEnsemble(NET, (4,), 2, 3, mean_field=MeanField(), optimizer=partial(torch.optim.Adam, lr=0.01))
    second.fit(resumed, loader, ckpt_path=tmp_path / "half.ckpt", weights_only=True)
    for name, value in uninterrupted.state_dict().items():
        if isinstance(value, Tensor):
            assert torch.equal(resumed.state_dict()[name], value), name
    assert resumed.seeds == uninterrupted.seeds


def test_own_orders_need_a_datamodule_that_gives_them() -> None:
    with pytest.raises(UserError, match=r"DeepEnsemble: own_orders \(=true\) needs a datamodule.*not NoneType"):
        trainer().fit(ensemble(own_orders=True), DataLoader(data(), 5))


def test_bayesian_members_need_draws() -> None:
    with pytest.raises(UserError, match=r"MeanField: draws \(=0\) must be at least 1"):
        MeanField(draws=0)
    with pytest.raises(UserError, match=r"MeanField: val_draws \(=0\) must be at least 1"):
        MeanField(val_draws=0)
