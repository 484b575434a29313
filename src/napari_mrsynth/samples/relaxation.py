"""What an MRI sequence sees: relaxation times and water content of brain tissues, and the signal they give.

Times are in milliseconds, at 3 tesla; water content ("proton density") is a share of that of pure water.
Every number's source is in ``docs/concepts/digital-brain.md`` and beside the number here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Tissue:
    """What a tissue is to the scanner.

    Attributes
    ----------
    t1_ms, t2_ms : float
        Longitudinal and transverse relaxation times in ms.
    water : float
        Proton density as a share of pure water, 0 to 1.
    """

    t1_ms: float
    t2_ms: float
    water: float

    def towards(self, other: Tissue) -> Tissue:
        """Return the tissue half-way to `other`, on logarithmic scales."""
        return Tissue(
            math.sqrt(self.t1_ms * other.t1_ms),
            math.sqrt(self.t2_ms * other.t2_ms),
            math.sqrt(self.water * other.water),
        )


# Grey and white matter: Stanisz et al. 2005; their water: Oros-Peusquens et al. 2019; cerebrospinal fluid:
# between the subarachnoid (4309, 1886 ms) and ventricular (4454, 2373 ms) values of PMC10696635.
WHITE = Tissue(1084.0, 69.0, 0.691)
GREY = Tissue(1820.0, 99.0, 0.837)
FLUID = Tissue(4350.0, 2000.0, 1.0)
# Solid glioma: inside the 3 T ranges of Kinoshita et al. 2021 (T1 1850 to 3200 ms, T2 115 to 225 ms). The
# other two are no measurements but half-way houses.
TUMOUR = Tissue(2200.0, 160.0, 0.88)
OEDEMA = WHITE.towards(TUMOUR)
NECROSIS = TUMOUR.towards(FLUID)


@dataclass(frozen=True)
class Sequence:
    """A spin-echo sequence, with an inversion before it where `ti_ms` is given.

    Attributes
    ----------
    tr_ms, te_ms : float
        Repetition and echo time.
    ti_ms : float or None
        Inversion time; None for a plain spin echo.
    """

    tr_ms: float
    te_ms: float
    ti_ms: float | None = None

    @property
    def equation(self) -> str:
        """The signal equation, for people."""
        if self.ti_ms is None:
            return "S = PD (1 - exp(-TR/T1)) exp(-TE/T2)"
        return "S = |PD (1 - 2 exp(-TI/T1) + exp(-TR/T1)) exp(-TE/T2)|"

    def signal(self, t1_ms: FloatArray, t2_ms: FloatArray, water: FloatArray) -> FloatArray:
        """Return the *signed* signal of voxels with these properties; all arrays of one shape.

        The sign is kept so that partial volumes add up as magnetisation does; take the magnitude of the sum.
        """
        recovered = 1 - np.exp(-self.tr_ms / t1_ms)
        if self.ti_ms is not None:
            recovered = 1 - 2 * np.exp(-self.ti_ms / t1_ms) + np.exp(-self.tr_ms / t1_ms)
        seen: FloatArray = water * recovered * np.exp(-self.te_ms / t2_ms)
        return seen


def nulling_time(t1_ms: float, tr_ms: float) -> float:
    """Return the inversion time (ms) at which a tissue of this T1 (ms) gives no signal."""
    return t1_ms * math.log(2 / (1 + math.exp(-tr_ms / t1_ms)))


SEQUENCES = {
    "T2w": Sequence(tr_ms=5000, te_ms=100),
    "FLAIR": Sequence(tr_ms=9000, te_ms=120, ti_ms=round(nulling_time(FLUID.t1_ms, 9000))),
    "PDw": Sequence(tr_ms=2800, te_ms=20),
}
"""The simulated contrasts, with ordinary clinical timings at 3 tesla."""
