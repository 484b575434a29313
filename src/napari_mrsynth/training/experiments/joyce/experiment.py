"""What an experiment is here: arms that make volumes, lines that show them, bars they have to clear."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from napari_mrsynth.errors import ConfigError
from napari_mrsynth.training.experiments.plan import Part
from napari_mrsynth.training.experiments.scoring import Made, Pair
from napari_mrsynth.training.experiments.summary import Bar, Table
from napari_mrsynth.training.experiments.telling import Teller
from napari_mrsynth.training.prepared import Prepared


class Maker(Protocol):
    """A way of making volumes.

    Attributes
    ----------
    trained : bool
        Whether it trains networks, so that another seed makes others.
    """

    @property
    def trained(self) -> bool:
        """Whether it trains networks."""
        ...

    def origin(self, part: Part, pairs: Sequence[Pair]) -> Mapping[str, Any]:
        """Return all that its volumes depend on beside the part's patients, as plain data."""
        ...

    def make(self, part: Part, todo: Mapping[Pair, Sequence[Prepared]], tell: Teller) -> Made:
        """Learn from the part's patients and make what is to do, in normalised units."""
        ...


@dataclass(frozen=True)
class Arm:
    """A method, the pairs it is asked for, and how it makes them.

    Attributes
    ----------
    method : str
        Its name in the rows.
    pairs : tuple of (subset, target)
    maker : Maker
    where : callable
        In which parts it is asked.
    """

    method: str
    pairs: tuple[Pair, ...]
    maker: Maker
    where: Callable[[Part], bool] = lambda part: True


@dataclass(frozen=True)
class Line:
    """One line of the table.

    Attributes
    ----------
    title : str
        What people read: the method, and what it was given.
    method : str
        Its name in the rows.
    pair : (subset, target)
    published : tuple of str
        The paper's figures, one per column of :attr:`Experiment.published`; empty where it has none.
    part : str
        Only rows of parts whose names begin so.
    """

    title: str
    method: str
    pair: Pair
    published: tuple[str, ...] = ()
    part: str = ""


@dataclass(frozen=True)
class Experiment:
    """One published table.

    Attributes
    ----------
    name : str
        Of the subcommand and of the files: ``joyce-unimodal``.
    title : str
    protocol : tuple of str
        How it is done here, and in what the paper did otherwise; a sentence or two each.
    published : tuple of str
        Heads of the columns of published figures.
    parts : tuple of Part
    arms : tuple of Arm
    lines : tuple of Line
    bars : callable
        From the table of all rows to what has to be cleared.
    skipped : tuple of (id, reason)
        Patients that could not be used.
    folded : bool
        Whether the parts are folds of one cross-validation.
    """

    name: str
    title: str
    protocol: tuple[str, ...]
    published: tuple[str, ...]
    parts: tuple[Part, ...]
    arms: tuple[Arm, ...]
    lines: tuple[Line, ...]
    bars: Callable[[Mapping[str, Table]], list[Bar]]
    skipped: tuple[tuple[str, str], ...] = field(default=())
    folded: bool = True

    def only(self, methods: Sequence[str]) -> Experiment:
        """Return the table of some methods, without the bars that ask for others.

        Raises
        ------
        ConfigError
            If it does not have one of them.
        """
        known = [arm.method for arm in self.arms]
        unknown = [method for method in methods if method not in known]
        if unknown:
            raise ConfigError(
                f"{self.name} has no method {', '.join(map(repr, unknown))}.",
                hint=f"Choose from {', '.join(known)}.",
            )
        return replace(
            self,
            arms=tuple(arm for arm in self.arms if arm.method in methods),
            lines=tuple(line for line in self.lines if line.method in methods),
            bars=lambda tables: [bar for bar in self.bars(tables) if {*bar.methods} <= {*methods}],
        )
