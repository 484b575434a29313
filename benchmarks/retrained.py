"""How far two trainings of one configuration are apart on the same unseen patients.

    mrsynth evaluate --card FIRST PATIENTS --out first      # and the same of the second
    python benchmarks/retrained.py first/evaluation-ID.csv second/evaluation-ID.csv

Prints, by patient and by target, the second model's NMSE over the brain as a multiple of the first's: of the
sums over all (inputs, target) pairs, and the mean and range of the pairs' own ratios.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Iterable
from pathlib import Path

Task = tuple[str, str, str]
"""Patient, inputs, target."""


def errors(paths: Iterable[Path]) -> dict[Task, float]:
    """Return a model's error by task, from the rows that the evaluation wrote."""
    found = {}
    for path in paths:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if (row["method"], row["region"]) == ("model", "brain"):
                    found[row["patient"], row["inputs"], row["target"]] = float(row["nmse"])
    return found


def line(name: str, first: dict[Task, float], second: dict[Task, float], tasks: list[Task]) -> str:
    """Say how the second stands to the first on some tasks."""
    ratios = [second[task] / first[task] for task in tasks]
    total = sum(second[task] for task in tasks) / sum(first[task] for task in tasks)
    mean = sum(ratios) / len(ratios)
    return f"{name:24} {len(tasks):3} pairs  {total:.3f}  {mean:.3f} ({min(ratios):.2f} to {max(ratios):.2f})"


def main() -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    parser.add_argument("--more", nargs=2, type=Path, action="append", default=[], help="the same of others")
    given = parser.parse_args()
    pairs = [(given.first, given.second), *given.more]
    first, second = (errors(pair[side] for pair in pairs) for side in (0, 1))
    tasks = sorted(first.keys() & second.keys())
    by: tuple[Callable[[Task], str], ...] = (lambda task: "all", lambda task: task[0], lambda task: task[2])
    for key in by:
        for name in dict.fromkeys(map(key, tasks)):
            print(line(name, first, second, [task for task in tasks if key(task) == name]))


if __name__ == "__main__":
    main()
