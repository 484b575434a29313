"""Whether a prediction is brought to the truth's units before it is compared, and how."""

from __future__ import annotations

from enum import StrEnum

from napari_mrsynth.errors import InputError

ALIKE = (0.8, 1.25)
"""Brain means whose ratio lies between these are called alike."""


class Matching(StrEnum):
    """What is done to the prediction's intensities before it is compared with the truth.

    MR intensities have no absolute unit, and a synthetic scan has that of one of its inputs. ``none``
    compares the numbers as they are; ``mean`` multiplies the prediction by one number, so that both means
    over the brain are equal. Nothing else is offered: a fit of contrast or histogram would hide what is to
    be measured.
    """

    NONE = "none"
    MEAN = "mean"

    @property
    def in_words(self) -> str:
        """What was done, for people."""
        if self is Matching.NONE:
            return "intensities compared as they are"
        return "prediction multiplied by one number, so that both brain means are equal"

    def factor(self, pred_mean: float, truth_mean: float) -> float:
        """Return what the prediction is multiplied by, given both means over the brain.

        Raises
        ------
        InputError
            If means are to be matched and one of them is not above 0.
        """
        if self is Matching.NONE:
            return 1.0
        if not min(pred_mean, truth_mean) > 0:
            raise InputError(
                f"Brain means of {pred_mean:.4g} (prediction) and {truth_mean:.4g} (truth) cannot "
                "be matched: both must be above 0.",
                hint="Compare the intensities as they are.",
            )
        return truth_mean / pred_mean


def scale_note(pred_mean: float, truth_mean: float) -> str | None:
    """Return a warning where two images that are compared as they are differ in scale, else None."""
    low, high = ALIKE
    if truth_mean > 0 and low <= pred_mean / truth_mean <= high:
        return None
    if min(pred_mean, truth_mean) > 0:
        remedy = "Match the means to leave it out."
    else:
        remedy = "Means that are not above 0 cannot be matched: NCC does not depend on the scale."
    return (
        f"The prediction's mean over the brain is {pred_mean:.4g}, the truth's {truth_mean:.4g}: MSE, "
        f"MAE, PSNR and SSIM also measure this difference of scale. {remedy}"
    )
