from random import Random

from mesa import Model

class Cell:
    coordinate: tuple[int, int]

    @property
    def neighborhood(self) -> Cells: ...

class Cells:
    def select_random_cell(self) -> Cell: ...

class CellAgent:
    cell: Cell

    def __init__(self, model: Model) -> None: ...

class OrthogonalVonNeumannGrid:
    all_cells: Cells

    def __init__(self, dimensions: tuple[int, int], *, torus: bool, random: Random) -> None: ...
