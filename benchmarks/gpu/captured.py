"""Work that is recorded once as a CUDA graph and then replayed, and noise that is new at every replay.

A replay repeats kernels with the addresses and numbers that they were recorded with. What has to change from step to
step must therefore lie on the device: the parameters, the optimizer's state, its learning rate, where in the epoch a
step is, and the position in the noise stream. ``NoiseStream`` counts on the host: recorded, it would give the noise of
one draw for ever.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from lightning_vi.functional.compiled import compiled
from lightning_vi.functional.philox import standard_normal
from lightning_vi.noise import EVALUATION_STREAM, NoiseStream

_WARMUP = 3


class DeviceNoise(NoiseStream):
    """The draws of a stream from its position on, counted on the device; ``position`` stays where it was.

    Args:
        stream: Whose draws it gives.
        device: Where they are made.
    """

    def __init__(self, stream: NoiseStream, device: torch.device) -> None:
        super().__init__(stream.seed, stream.stream, stream.position)
        self.state = torch.tensor((self.seed, self.stream, self.position), dtype=torch.int64, device=device)

    def normal(self, size: int, device: torch.device, dtype: torch.dtype = torch.float32, fast: bool = False) -> Tensor:
        """See :meth:`NoiseStream.normal`."""
        noise = (compiled(standard_normal) if fast else standard_normal)(size, self.state, dtype)
        self.state[2].add_(1)
        return noise

    def evaluation(self, position: int = 0) -> NoiseStream:
        """See :meth:`NoiseStream.evaluation`."""
        return NoiseStream(self.seed, EVALUATION_STREAM, position)


class Captured:
    """A function that is replayed; on a device without CUDA graphs it is called.

    Args:
        function: Reads and writes tensors that stay where they are. It is called a few times first, to let libraries
            and compilers set themselves up; ``changed`` is put back to what it was before.
        device: Where it runs.
        changed: Gives what the function changes, all that a later call depends on.
    """

    def __init__(
        self, function: Callable[[], object], device: torch.device, changed: Callable[[], list[Tensor]]
    ) -> None:
        before = [tensor.detach().clone() for tensor in changed()]
        self._run = function
        if device.type == "cuda":
            stream = torch.cuda.Stream(device)
            stream.wait_stream(torch.cuda.current_stream(device))
            with torch.cuda.stream(stream):
                for _ in range(_WARMUP):
                    function()
            torch.cuda.current_stream(device).wait_stream(stream)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                function()
            self._run = graph.replay
        else:
            for _ in range(_WARMUP):
                function()
        after = changed()
        with torch.no_grad():
            for tensor, value in zip(after, before, strict=False):
                tensor.copy_(value)
            for tensor in after[len(before) :]:  # an optimizer makes its state, of zeros, at its first step
                tensor.zero_()

    def __call__(self) -> None:
        """Replay."""
        self._run()
