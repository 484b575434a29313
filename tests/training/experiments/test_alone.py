"""Two experiments at once in one folder: the same one is refused, and a network both need is trained once."""

from __future__ import annotations

import shutil

import pytest
from filelock import FileLock

from bad.models import tiny_model
from napari_mrsynth.errors import ConfigError
from napari_mrsynth.io.locking import LOCK
from napari_mrsynth.training.experiments.joyce.fitting import made_once
from napari_mrsynth.training.experiments.ledger import Ledger


def test_an_experiment_that_runs_already_in_a_folder_is_refused(tmp_path):
    with (
        Ledger.alone(tmp_path, {}),
        pytest.raises(ConfigError, match="Another experiment runs in"),
        Ledger.alone(tmp_path, {}, wait_s=0),
    ):
        pass
    with Ledger.alone(tmp_path, {}, wait_s=0) as ledger:
        assert not ledger.rows


@pytest.fixture
def trained(tmp_path):
    """A model that is there already, elsewhere."""
    return tiny_model(tmp_path / "elsewhere")


def test_a_network_that_another_process_trains_is_waited_for_and_not_trained_again(trained, tmp_path):
    other, told = FileLock(tmp_path / LOCK), []

    def told_to_wait(progress):
        told.append(progress.message)
        shutil.copytree(trained, tmp_path / "bundle")
        other.release()

    with other:
        bundle = made_once(tmp_path / "bundle", lambda _: pytest.fail("trained again"), told_to_wait)
    assert told == ["waiting for another process that trains it"]
    assert bundle.folder == tmp_path / "bundle"


def test_a_network_is_trained_where_nobody_has_and_once(trained, tmp_path):
    made_once(tmp_path / "bundle", lambda bundle: shutil.copytree(trained, bundle), None)
    made_once(tmp_path / "bundle", lambda _: pytest.fail("trained again"), None)
