"""The catalogue of faults and attacks: which of its rows the tests show to hold, by the marks on them."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tests.faults.scenarios import SCENARIOS

TESTS = Path(__file__).parent
SHOWN = {
    *(
        "S01",
        "S02",
        "S03",
        "S04",
        "S05",
        "S06",
        "S07",
        "S08",
        "S10",
        "S11",
        "S20",
        "S21",
        "S22",
        "S25",
        "S27",
        "S28",
        "S29",
        "S30",
        "S32",
        "S34",
    ),
    *("S35", "S36", "S18", "S19"),
    *(f"R{number:02}" for number in (*range(1, 35), 36)),
}
"""Rows that must have a test, or be played by `make faults`; each step of the product adds its own."""


def rows(mark: ast.expr) -> list[str]:
    """The rows that a mark names; none if it is another mark."""
    if isinstance(mark, ast.List):
        return [row for each in mark.elts for row in rows(each)]
    if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.catalogue":
        return [ast.literal_eval(row) for row in mark.args]
    return []


def marks(path: Path) -> Iterator[tuple[str, str]]:
    """(row, test) for every row that a file of tests names, for one test or for all of them."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            for mark in node.decorator_list:
                yield from ((row, f"{path.relative_to(TESTS)}::{node.name}") for row in rows(mark))
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark":
            yield from ((row, str(path.relative_to(TESTS))) for row in rows(node.value))


def test_every_row_that_must_hold_is_shown_by_a_test() -> None:
    shown = defaultdict(list)
    for path in sorted(TESTS.rglob("test_*.py")):
        for row, test in marks(path):
            shown[row].append(test)
    for scenario in SCENARIOS:
        for row in scenario.rows:
            shown[row].append(f"make faults ROWS={row}")
    assert sorted(SHOWN - set(shown)) == []
