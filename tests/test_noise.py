import torch

from lightning_vi.noise import NoiseStream

CPU = torch.device("cpu")


def test_draws_differ_and_can_be_repeated() -> None:
    stream = NoiseStream(seed=1)
    first, second = stream.normal(100, CPU), stream.normal(100, CPU)
    assert not torch.equal(first, second)
    assert stream.position == 2
    assert torch.equal(NoiseStream(seed=1, position=1).normal(100, CPU), second)


def test_ranks_that_share_the_seed_have_noise_of_their_own() -> None:
    assert not torch.equal(NoiseStream(1, stream=0).normal(100, CPU), NoiseStream(1, stream=1).normal(100, CPU))


def test_evaluation_draws_are_the_same_on_all_ranks_and_do_not_move_training() -> None:
    ranks = [NoiseStream(1, stream=rank, position=rank) for rank in range(2)]
    a, b = (rank.evaluation().normal(100, CPU) for rank in ranks)
    assert torch.equal(a, b)
    assert [rank.position for rank in ranks] == [0, 1]
    assert not torch.equal(a, ranks[0].normal(100, CPU))
