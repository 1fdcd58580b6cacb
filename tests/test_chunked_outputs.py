from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from lightning_vi.bayesian import BayesianModule
from lightning_vi.chunked_outputs import chunked_outputs
from lightning_vi.posteriors import SoftplusScale
from lightning_vi.predictive import Drawn, drawn_networks, sampled_outputs

CPU = torch.device("cpu")


def outputs(networks: Iterator[Drawn], inputs: Tensor, memory: int) -> Tensor:
    with torch.no_grad():
        return chunked_outputs(networks, inputs, memory, CPU, torch.float32)


@pytest.mark.parametrize("hidden", [8, 200], ids=["side by side", "one by one"])
@pytest.mark.parametrize("memory", [1, 50_000, 2**30])
def test_chunks_change_nothing_but_rounding(hidden: int, memory: int) -> None:
    net = nn.Sequential(nn.Linear(5, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh(), nn.Linear(hidden, 3))
    model, x = BayesianModule(net, posterior=SoftplusScale(0.3)), torch.randn(23, 5)
    torch.testing.assert_close(outputs(drawn_networks(model, 20), x, memory), sampled_outputs(model, x, 20))


def test_a_network_takes_all_chunks_before_the_next_is_drawn() -> None:
    calls: list[tuple[int, int]] = []

    def networks() -> Iterator[Drawn]:
        for number in range(2):

            def run(inputs: Tensor, number: int = number) -> Tensor:
                calls.append((number, len(inputs)))
                return (inputs + number).unsqueeze(0)

            yield run

    x = torch.randn(7, 10)
    # An input, its output and the output's view have 40 bytes each.
    assert torch.equal(outputs(networks(), x, 3 * 120), torch.stack([x, x + 1]))
    assert calls[2:] == [(0, 3), (0, 3), (0, 1), (1, 3), (1, 3), (1, 1)]  # after two that measure


def test_draws_side_by_side_count_all_and_weights_do_not() -> None:
    sizes: list[int] = []

    def watched(networks: Iterator[Drawn]) -> Iterator[Drawn]:
        for network in networks:

            def run(inputs: Tensor, network: Drawn = network) -> Tensor:
                sizes.append(len(inputs))
                return network(inputs)

            yield run

    x = torch.randn(1000, 50)
    model = BayesianModule(nn.Linear(50, 100))  # 20 kB of weights
    # At least an input of 200 bytes and an output of 400; at most some copies of both.
    outputs(watched(drawn_networks(model, 1)), x, 30_000)
    assert 30_000 / (4 * 600) < sizes[2] <= 30_000 / 600
    sizes.clear()
    outputs(watched(drawn_networks(model, 16)), x, 30_000)
    assert 30_000 / (16 * 4 * 600) <= sizes[2] + 1 <= 30_000 / (16 * 400) + 1


def test_inputs_of_another_type_are_converted_and_whole_numbers_left() -> None:
    def networks(network: nn.Module) -> Iterator[Drawn]:
        yield lambda inputs: network(inputs).unsqueeze(0)

    linear, embedding = nn.Linear(3, 2), nn.Embedding(5, 2)
    x, tokens = torch.randn(4, 3, dtype=torch.float64), torch.tensor([4, 0, 2])
    with torch.no_grad():
        torch.testing.assert_close(outputs(networks(linear), x, 100)[0], linear(x.float()))
        assert torch.equal(outputs(networks(embedding), tokens, 100)[0], embedding(tokens))


@pytest.mark.parametrize("count", [0, 1])
def test_hardly_any_inputs(count: int) -> None:
    model = BayesianModule(nn.Linear(3, 2))
    assert outputs(drawn_networks(model, 4), torch.randn(count, 3), 2**20).shape == (4, count, 2)
