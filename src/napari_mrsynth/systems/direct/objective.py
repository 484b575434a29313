"""What the direct networks are trained for: the error of what they make."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Objective:
    """Weights of the cost.

    Attributes
    ----------
    absolute, squared : float
        Weights of the mean absolute and the mean squared error.
    brain_only : bool
        Whether errors are counted inside the brain only.
    """

    absolute: float = 0.0
    squared: float = 1.0
    brain_only: bool = False

    def error(self, made: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
        """Return the weighted error of (B, output, H, W); `mask` is (B, H, W), true in the brain."""
        off = made - truth
        cost = self.absolute * off.abs() + self.squared * off.square()
        if not self.brain_only:
            return cost.mean()
        inside = mask[:, None].expand_as(cost).to(cost)
        total: Tensor = (cost * inside).sum() / (inside.sum() + 1e-6)
        return total
