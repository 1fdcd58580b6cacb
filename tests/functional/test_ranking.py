import torch

from lightning_vi.functional.ranking import ranked


def test_equals_share_what_is_right_of_them() -> None:
    confidence, right = ranked(torch.tensor([0.5, 1.0, 0.5, 0.7, 1.0, 1.0]), torch.tensor([1, 1, 0, 1, 0, 1]))
    torch.testing.assert_close(confidence, torch.tensor([1.0, 1.0, 1.0, 0.7, 0.5, 0.5]))
    torch.testing.assert_close(right, torch.tensor([2 / 3, 2 / 3, 2 / 3, 1.0, 0.5, 0.5]))


def test_knows_no_order() -> None:
    confidence, correct = torch.randint(5, (40,)).double(), torch.randint(2, (40,))
    order = torch.randperm(40)
    for one, other in zip(ranked(confidence, correct), ranked(confidence[order], correct[order]), strict=True):
        assert torch.equal(one, other)
