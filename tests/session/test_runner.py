"""One job and one preview at a time, and silence from what was dropped."""

from __future__ import annotations

from napari_mrsynth.progress import Progress
from napari_mrsynth.session import Failed, ImmediateExecutor, Ok, State
from napari_mrsynth.session.runner import Runner
from session.fakes import HandExecutor


def work(result: str, steps: int = 2):
    def begin():
        for count in range(steps):
            yield Progress(count / steps, f"{result} {count}")
        return result

    return begin


def test_a_job_says_what_it_does_and_how_far_it_is():
    said, ended = [], []
    Runner(ImmediateExecutor(), said.append).start("Making …", work("made"), ended.append)
    assert [status.state for status in said] == [State.BUSY] * 3
    assert {status.message for status in said} == {"Making …"}
    assert [status.hint for status in said] == ["", "made 0", "made 1"]
    assert [status.progress.fraction for status in said] == [0.0, 0.0, 0.5]
    assert ended == [Ok("made")]


def test_the_runner_is_free_again_when_it_tells_the_outcome():
    runner, busy = Runner(ImmediateExecutor(), lambda _: None), []
    runner.start("Making …", work("made"), lambda _: busy.append(runner.busy))
    assert busy == [False]


def test_a_job_that_fails_frees_the_runner():
    def begin():
        yield Progress(0.0, "")
        raise MemoryError

    runner, ended = Runner(ImmediateExecutor(), lambda _: None), []
    runner.start("Making …", begin, ended.append)
    assert not runner.busy
    assert isinstance(ended[0], Failed)


def test_nothing_is_heard_of_a_cancelled_job():
    executor, said, ended = HandExecutor(), [], []
    runner = Runner(executor, said.append)
    runner.start("Making …", work("made"), ended.append)
    executor.step()
    runner.cancel()
    assert not runner.busy
    said.clear()
    executor.finish()
    assert said == ended == []


def test_a_job_takes_the_place_of_a_preview_and_a_preview_that_of_another():
    executor, ended = HandExecutor(), []
    runner = Runner(executor, lambda _: None)
    runner.preview(work("first"), ended.append)
    runner.preview(work("second"), ended.append)
    assert not runner.busy
    executor.finish()
    assert ended == [Ok("second")]
    runner.preview(work("third"), ended.append)
    runner.start("Making …", work("made"), ended.append)
    executor.finish()
    assert ended == [Ok("second"), Ok("made")]
