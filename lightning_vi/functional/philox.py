"""Standard normal numbers from a counter: Philox4x32-7 and the Box-Muller transform.

A counter-based generator has no hidden state: number i of draw t in stream r of seed s is a pure function of
(s, r, t, i). Draws can therefore be repeated, ranks told apart, and a resumed run continued, by keeping three
integers. It is written in torch operations, so that ``torch.compile`` turns it into one vectorised loop. The
random words are the same on every device; the normal numbers agree up to the rounding of logarithm, cosine and sine.

References:
    Salmon, Moraes, Dror and Shaw (2011), Parallel random numbers: as easy as 1, 2, 3. SC '11. Seven rounds pass
    BigCrush. Box and Muller (1958), A note on the generation of random normal deviates.
"""

import torch
from torch import Tensor

from lightning_vi.functional.elementary import cos_and_sin, log

_MULTIPLIER = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_LOW = 0xFFFFFFFF
_ROUNDS = 7
_BLOCK = 1 << 14  # quarters of an eager block: its temporaries stay in the processor's second-level cache

Words = tuple[Tensor, Tensor, Tensor, Tensor]


def philox4x32(counter: Words, key: tuple[Tensor, Tensor], rounds: int = _ROUNDS) -> Words:
    """Four 32-bit random words for each 128-bit counter.

    Args:
        counter: Four int64 tensors of one shape (or that broadcast) with values in [0, 2^32).
        key: Two int64 tensors that broadcast with them, values in [0, 2^32).
        rounds: Number of rounds.

    Returns:
        Four int64 tensors with values in [0, 2^32).
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(rounds):
        # The product of two 32-bit words may wrap to a negative int64; masking after the shift mends its sign. The
        # low words keep what stands above their 32 bits until the next round masks it.
        first, second = c0 * _MULTIPLIER[0], c2 * _MULTIPLIER[1]
        c0, c1, c2, c3 = ((second >> 32) ^ c1 ^ k0) & _LOW, second, ((first >> 32) ^ c3 ^ k1) & _LOW, first
        k0, k1 = (k0 + _WEYL[0]) & _LOW, (k1 + _WEYL[1]) & _LOW
    return c0, c1 & _LOW, c2, c3 & _LOW


def _box_muller(first: Tensor, second: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    # Half a unit keeps the logarithm finite; the largest normal is sqrt(2 * 33 * ln 2) = 6.8.
    radius = torch.sqrt(-2.0 * log((first.to(dtype) + 0.5) * 2.0**-32))
    cosine, sine = cos_and_sin(second, dtype)
    return radius * cosine, radius * sine


def _quarters(start: int, stop: int, state: Tensor, dtype: torch.dtype) -> Words:
    index = torch.arange(start, stop, dtype=torch.int64, device=state.device)
    seed, stream, position = state.unbind()
    words = philox4x32(
        (index, torch.zeros_like(index), position & _LOW, (position >> 32) & _LOW),
        (seed & _LOW, stream & _LOW),
    )
    return *_box_muller(*words[:2], dtype), *_box_muller(*words[2:], dtype)


def standard_normal(size: int, state: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """``size`` independent numbers from N(0, 1).

    Args:
        size: How many; number i is the same whatever comes after it only while ``ceil(size / 4)`` is the same.
        state: Shape (3,), int64: seed in [0, 2^32), stream in [0, 2^32), position in [0, 2^63).
        dtype: float32 or float64. In float32 and float64 the same words are used, so they agree in rounding.

    Returns:
        Shape (size,), on the device of ``state``.
    """
    quarter = -(-size // 4)
    if torch.compiler.is_compiling():
        return torch.cat(_quarters(0, quarter, state, dtype))[:size]
    block = _BLOCK if state.device.type == "cpu" else max(quarter, 1)  # elsewhere many small kernels are what is slow
    blocks = [
        torch.stack(_quarters(start, min(start + block, quarter), state, dtype)) for start in range(0, quarter, block)
    ]
    return torch.cat(blocks, dim=1).flatten()[:size]
