"""Two processes that train together: they learn what one alone would, also when they were killed half-way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from napari_mrsynth.errors import ConfigError
from napari_mrsynth.training.checkpoints import step_of
from napari_mrsynth.training.run import train


@pytest.fixture
def torchrun() -> Callable[..., list[str]]:
    """Return the command that trains in two processes on this machine."""

    def command(config: Path, folder: Path) -> list[str]:
        launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
        overrides = ["--set", f"run.folder={folder}", "--set", "run.devices=2"]
        return [*launcher, "-m", "napari_mrsynth.cli", "train", str(config), *overrides]

    return command


def weights(folder: Path) -> dict[str, torch.Tensor]:
    saved = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    state: dict[str, torch.Tensor] = saved["state_dict"]
    return state


def test_two_processes_learn_what_one_does_even_if_killed_half_way(
    written: Callable[..., Path], torchrun: Callable[..., list[str]], tmp_path: Path
) -> None:
    config = written(
        # Nothing that is drawn or averaged per process: what is left must be the same sum.
        objective={"subsets": "all", "brain_only": False},
        augment={"flip": 0.0, "turn": 0.0, "intensity": 0.0},
        optim={"steps": 30, "batch": 4},
        run={"checkpoint_every": 4},
    )
    together = tmp_path / "together"
    command = torchrun(config, together)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if "step 15 of 30" in line:
                break
        os.killpg(process.pid, signal.SIGKILL)
    assert "step 15 of 30" in said[-1], "".join(said)
    assert 12 <= step_of(together / "checkpoints" / "last.ckpt") < 30
    resumed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert resumed.returncode == 0, resumed.stderr
    assert resumed.stdout.count("Bundle:") == 1
    assert (together / "bundle" / "tiny" / "card.yaml").is_file()
    train(config, [f"run.folder={tmp_path / 'alone'}"])
    first, second = weights(tmp_path / "alone"), weights(together)
    assert list(first) == list(second)
    for name in first:
        torch.testing.assert_close(first[name], second[name], rtol=1e-3, atol=1e-4, msg=name)


def test_a_batch_that_the_devices_cannot_share_is_refused_before_anything_is_made(
    written: Callable[..., Path], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"optim\.batch is 2, which 3 processes"):
        train(written(run={"devices": 3}))
    assert not (tmp_path / "run").exists()
