"""A file of named columns, which need not fit in memory."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

from lightning_vi.datamodules.columns import Column
from lightning_vi.errors import UserError

SHOWN = 12


class Source(ABC):
    """Rows with named columns.

    Attributes:
        file: Where they stand.
        names: Of the columns, in the file's order.
    """

    def __init__(self, file: str, names: Sequence[str]) -> None:
        self.file, self.names = file, list(names)

    @abstractmethod
    def blocks(self, names: Sequence[str]) -> Iterator[dict[str, Column]]:
        """Some columns by name, a block of rows at a time, in order.

        Raises:
            UserError: If the file is damaged.
        """

    def require(self, names: Sequence[str], option: str) -> None:
        """Refuse a file that lacks columns.

        Args:
            names: Those that are needed.
            option: What asks for them.

        Raises:
            UserError: Naming them, and those that there are.
        """
        missing = [name for name in names if name not in self.names]
        if missing:
            there = ", ".join(self.names[:SHOWN]) + (", ..." if len(self.names) > SHOWN else "")
            columns = "column" if len(missing) == 1 else f"{len(missing)} columns:"
            raise UserError(
                f"{self.file} has no {columns} {', '.join(repr(name) for name in missing[:SHOWN])} ({option}). "
                f"It has: {there}."
            )
