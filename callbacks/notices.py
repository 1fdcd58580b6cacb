from lightning.pytorch.utilities import rank_zero_info


class Notices:
    """Says each thing once, on rank zero, through Lightning's log."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def say(self, text: str) -> None:
        """Say it, unless it has been said."""
        if text not in self._said:
            self._said.add(text)
            rank_zero_info(text)
