"""What segmenters learn from, arm by arm, and what the paper found: Qu et al. 2020, table 2."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from napari_mrsynth.errors import ConfigError

SOURCE = "Qu et al. 2020, table 2"
MEASURE = (
    "Dice of class numbers, averaged over 2D images, the best of four trainings, on BRATS 2015. In the "
    "authors' code the test images are copied from the training patients."
)


class Mixing(StrEnum):
    """In what order real and other slices are learnt from."""

    ALONE = "-"
    RANDOM = "random mixing"
    SYNTHETIC_FIRST = "synthetic first"
    REAL_FIRST = "real first"


@dataclass(frozen=True)
class Arm:
    """One line of the table.

    Attributes
    ----------
    number : int
        The paper's.
    real : float
        Share of the real patients, 0 to 1.
    synthetic, enhanced : float
        Multiples of as many synthetic, and classically augmented real, slices as there are real ones.
    mixing : Mixing
    mse, dice : float
        The paper's figures, on its own measure.
    """

    number: int
    real: float
    synthetic: float
    enhanced: float
    mixing: Mixing
    mse: float
    dice: float

    @property
    def name(self) -> str:
        """What files and rows call it."""
        return f"arm-{self.number:02d}"

    @property
    def title(self) -> str:
        """What people read."""
        parts = [
            f"{_percent(self.real)} real" if self.real else "",
            f"{_percent(self.synthetic)} synthetic" if self.synthetic else "",
            f"{_percent(self.enhanced)} augmented" if self.enhanced else "",
        ]
        mixed = "" if self.mixing is Mixing.ALONE else f", {self.mixing}"
        return " + ".join(part for part in parts if part) + mixed


ALONE, RANDOM = Mixing.ALONE, Mixing.RANDOM
FIRST, LAST = Mixing.SYNTHETIC_FIRST, Mixing.REAL_FIRST

PAPER = (
    Arm(1, 1, 0, 0, ALONE, 0.026, 0.915),
    Arm(31, 0.5, 0, 0, ALONE, 0.032, 0.902),
    Arm(2, 0, 1, 0, ALONE, 0.205, 0.708),
    Arm(3, 0, 2, 0, RANDOM, 0.206, 0.736),
    Arm(4, 0, 3, 0, RANDOM, 0.205, 0.754),
    Arm(7, 0.1, 1, 0, FIRST, 0.031, 0.908),
    Arm(8, 0.1, 2, 0, FIRST, 0.028, 0.907),
    Arm(9, 0.1, 3, 0, FIRST, 0.030, 0.907),
    Arm(13, 0.2, 0.8, 0, RANDOM, 0.041, 0.850),
    Arm(12, 0.5, 0.5, 0, RANDOM, 0.031, 0.904),
    Arm(14, 0.8, 0.2, 0, RANDOM, 0.024, 0.935),
    Arm(32, 1, 0.2, 0, RANDOM, 0.025, 0.921),
    Arm(33, 1, 0.5, 0, RANDOM, 0.023, 0.939),
    Arm(34, 1, 0.8, 0, RANDOM, 0.026, 0.916),
    Arm(15, 1, 1, 0, RANDOM, 0.027, 0.913),
    Arm(18, 1, 2, 0, RANDOM, 0.033, 0.901),
    Arm(19, 1, 3, 0, RANDOM, 0.034, 0.897),
    Arm(35, 1, 0, 0.2, RANDOM, 0.027, 0.911),
    Arm(36, 1, 0, 0.5, RANDOM, 0.025, 0.927),
    Arm(37, 1, 0, 0.8, RANDOM, 0.026, 0.920),
    Arm(22, 1, 0, 1, RANDOM, 0.026, 0.915),
    Arm(23, 1, 0, 2, RANDOM, 0.032, 0.898),
    Arm(24, 1, 0, 3, RANDOM, 0.036, 0.885),
    Arm(16, 1, 1, 0, LAST, 0.195, 0.795),
    Arm(17, 1, 1, 0, FIRST, 0.021, 0.940),
)
"""The whole table, in the paper's order."""

REAL_ONLY = 1
SYNTHETIC_FIRST = 17
QUICK = (1, 2, 15, 16, 17, 22)
"""Every source and every order, once each."""

MOST = max(arm.synthetic for arm in PAPER)


def arms_of(numbers: tuple[int, ...]) -> tuple[Arm, ...]:
    """Return arms by the paper's numbers, in the table's order; real data alone is always among them.

    Raises
    ------
    ConfigError
        If there is no such arm.
    """
    known = {arm.number for arm in PAPER}
    unknown = [number for number in numbers if number not in known]
    if unknown:
        raise ConfigError(
            f"The table has no line {unknown[0]}.", hint=f"It has {', '.join(map(str, sorted(known)))}."
        )
    return tuple(arm for arm in PAPER if arm.number in {REAL_ONLY, *numbers})


def _percent(share: float) -> str:
    return f"{100 * share:g} %"
