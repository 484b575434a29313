"""What the training loop does with gradients and averaged weights."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from napari_mrsynth.progress import Progress
from napari_mrsynth.training.callbacks import ReportProgress
from napari_mrsynth.training.config import load_config
from napari_mrsynth.training.module import Loop, average


class Small(nn.Module):
    neighbours = 0

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))


@pytest.fixture
def loop(config) -> Loop:
    return Loop(Small(), load_config(config), [])


def test_averaged_weights_begin_as_the_first_ones_and_then_follow_slowly():
    network = nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1))
    averaged = AveragedModel(network, use_buffers=True)
    for weight, batches in ((1.0, 1), (2.0, 2)):
        nn.init.constant_(network[0].weight, weight)
        nn.init.constant_(network[1].running_mean, 10 * weight)
        network[1].num_batches_tracked.fill_(batches)
        average(averaged, network, 0.75)
    state = averaged.module.state_dict()
    assert state["0.weight"].item() == pytest.approx(1.25)
    assert state["1.running_mean"].item() == pytest.approx(12.5)
    assert state["1.num_batches_tracked"].item() == 2
    assert network[0].weight.item() == 2.0
    assert averaged.n_averaged == 2


def test_a_step_is_that_of_plain_adamw_with_gradients_clipped_to_the_norm_asked_for(loop):
    optimiser = loop.configure_optimizers()["optimizer"]
    weights = list(loop.system.parameters())
    plain = [weight.detach().clone().requires_grad_() for weight in weights]
    group = optimiser.param_groups[0]
    reference = torch.optim.AdamW(plain, lr=group["lr"], weight_decay=group["weight_decay"])
    for seed in range(3):
        torch.manual_seed(seed)
        for weight, copy in zip(weights, plain, strict=True):
            weight.grad = torch.randn_like(weight)
            copy.grad = weight.grad.clone()
        nn.utils.clip_grad_norm_(plain, 0.5)
        loop.configure_gradient_clipping(optimiser, 0.5)
        torch.testing.assert_close([w.grad for w in weights], [w.grad for w in plain])
        optimiser.step()
        reference.step()
    torch.testing.assert_close(weights, [nn.Parameter(w) for w in plain])


@pytest.mark.parametrize(
    ("precision", "fused"), [("32-true", True), ("bf16-mixed", True), ("16-mixed", False)]
)
def test_the_optimiser_takes_one_pass_but_where_gradients_come_scaled(written, precision, fused):
    loop = Loop(Small(), load_config(written(optim={"precision": precision})), [])
    assert loop.configure_optimizers()["optimizer"].param_groups[0]["fused"] is fused


def test_the_share_that_is_done_counts_every_step_and_the_time_left_only_those_of_this_run():
    told: list[Progress] = []
    report = ReportProgress(told.append, every=10)
    trainer = SimpleNamespace(
        global_step=60, max_steps=100, is_global_zero=True, callback_metrics={"loss": torch.tensor(1.0)}
    )
    report.on_train_start(trainer, None)
    seconds = iter((40.0,))
    report._watch = SimpleNamespace(at=lambda share, text: Progress(share, text, next(seconds) / share))
    trainer.global_step = 80
    report.on_train_batch_end(trainer, None)
    assert told == [Progress(0.8, "step 80 of 100, loss 1.0000", 80.0)]
