"""Algorithm 3: what counts as a closed outline, and that the loop runs while the map is bad."""

from __future__ import annotations

import numpy as np
import pytest

from napari_mrsynth.errors import ConfigError, GridError
from napari_mrsynth.structure.filtering import MAX_ERROR, draw_closed, filled_outline, outline_error


def ring(gap: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """An outline with a gap of so many pixels, and the brain in it."""
    rows, columns = np.indices((64, 64))
    radius = np.hypot(rows - 31, columns - 33)
    outline = np.abs(radius - 22) < 1
    outline[31 - gap // 2 : 31 - gap // 2 + gap, 33:] = False
    return outline.astype(np.uint8), (radius < 23).astype(np.uint8)


def test_a_closed_outline_is_filled_and_an_open_one_is_not():
    closed, brain = ring()
    broken, _ = ring(gap=9)
    assert outline_error(closed, brain) < MAX_ERROR
    assert outline_error(broken, brain) > MAX_ERROR
    assert filled_outline(closed)[31, 33]
    assert not filled_outline(broken)[31, 33]


def test_a_gap_of_two_pixels_is_bridged():
    structure, brain = ring(gap=2)
    assert outline_error(structure, brain) < MAX_ERROR


def test_maps_are_drawn_again_while_they_are_bad_and_kept_once_they_are_good():
    seen = []

    def draw(attempt: int) -> tuple[np.ndarray, np.ndarray]:
        seen.append(attempt)
        return ring(gap=0 if attempt == 3 else 9)

    drawn = draw_closed(draw)
    assert seen == [0, 1, 2, 3]
    assert (drawn.accepted, drawn.attempts) == (True, 4)
    assert drawn.error <= MAX_ERROR


def test_after_the_last_attempt_the_best_is_returned_and_not_accepted():
    gaps = iter((20, 9, 14))
    errors = []

    def draw(attempt: int) -> tuple[np.ndarray, np.ndarray]:
        structure, brain = ring(next(gaps))
        errors.append(outline_error(structure, brain))
        return structure, brain

    drawn = draw_closed(draw, attempts=3)
    assert (drawn.accepted, drawn.attempts) == (False, 3)
    assert drawn.error == min(errors) > MAX_ERROR


def test_a_map_and_a_mask_of_other_shapes_are_refused():
    with pytest.raises(GridError, match=r"\(3, 4\).*\(4, 3\)"):
        outline_error(np.zeros((3, 4)), np.zeros((4, 3)))
    with pytest.raises(ConfigError, match="0 attempts"):
        draw_closed(lambda _: ring(), attempts=0)
