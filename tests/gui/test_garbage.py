"""Layers go without a search of the whole program, and nothing stays hidden from later ones."""

from __future__ import annotations

import gc
import sys
import weakref

import pytest

from napari_mrsynth.gui.garbage import left_for_later


class Thing:
    """Holds itself, so that only the garbage collector can free it."""

    def __init__(self) -> None:
        self.me = self


@pytest.mark.skipif(sys.platform == "win32", reason="there the search is needed")
def test_a_collection_inside_finds_nothing_and_a_later_one_all() -> None:
    thing = Thing()
    there = weakref.ref(thing)
    with left_for_later():
        del thing
        gc.collect()
        assert there() is not None
    assert gc.get_freeze_count() == 0
    gc.collect()
    assert there() is None


def test_what_somebody_else_froze_stays_frozen() -> None:
    gc.freeze()
    try:
        with left_for_later():
            pass
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()


def test_an_error_inside_leaves_nothing_hidden() -> None:
    with pytest.raises(RuntimeError), left_for_later():
        raise RuntimeError
    assert gc.get_freeze_count() == 0
