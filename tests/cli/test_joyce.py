"""``mrsynth experiment joyce-...`` refuses what it cannot do before anything is trained."""

from __future__ import annotations

import pytest

from napari_mrsynth.cli.joyce import TABLES
from napari_mrsynth.training.shipped import shipped_configurations


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize(
    ("arguments", "quoted"),
    [
        (("--config", "none.yaml"), "none.yaml"),
        (("--data", "nowhere"), "nowhere"),
        (("--set", "optim.stepz=3"), "stepz"),
        (("--folds", "1"), "--folds"),
        (("--repeats", "0"), "--repeats"),
    ],
)
def test_what_cannot_be_is_refused_with_2(mrsynth, tmp_path, name, arguments, quoted):
    ended = mrsynth("experiment", f"joyce-{name}", *arguments, "--folder", tmp_path / "run", "--json")
    assert ended.code == 2
    assert quoted in ended.answer["error"]["message"]
    assert not (tmp_path / "run" / "networks").exists()


def test_the_configurations_that_are_named_are_shipped():
    assert {config for _, config in TABLES.values()} <= set(shipped_configurations())
