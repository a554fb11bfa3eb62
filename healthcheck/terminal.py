"""Aligned tables for terminals, also with wide letters such as Korean ones."""

from collections.abc import Collection, Sequence
from io import StringIO


def table(rows: Sequence[Sequence[str]], *, right: Collection[int] = ()) -> list[str]:
    """Return the lines of a table.

    Cells may contain colour codes; the columns in `right` are right-aligned.
    """
    # Imported here: only people read tables.
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if not rows:
        return []
    cells = [[Text.from_ansi(cell) for cell in row] for row in rows]
    grid = Table.grid(padding=(0, 2, 0, 0))
    for column in range(len(cells[0])):
        grid.add_column(no_wrap=True, justify="right" if column in right else "left")
    for row in cells:
        grid.add_row(*row)
    output = StringIO()
    Console(file=output, width=10_000, color_system="standard", force_terminal=True).print(grid)
    return [line.rstrip() for line in output.getvalue().splitlines()]
