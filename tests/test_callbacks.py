"""Progress reaches scikit-learn's callbacks, which may stop a fit (scikit-learn 1.9 and later)."""

import numpy as np
import pytest

from skflow import ContrastiveFlowDetector, FlowEnsemble, RealNVPOutlierDetector
from skflow.images import CSIDetector

callback = pytest.importorskip("sklearn.callback", reason="scikit-learn has callbacks from 1.9 on")


class Recorder:
    """A FitCallback that remembers what it was told and stops at an evaluation."""

    def __init__(self, stop_after=None):
        self.stop_after = stop_after
        self.tasks, self.scores, self.torn_down = [], [], 0

    def setup(self, estimator, context):
        self.max_subtasks = context.max_subtasks

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, fitted_estimator):
        self.tasks.append(context.task_name)
        if fitted_estimator is not None:
            self.scores.append(fitted_estimator.score_samples(np.zeros((1, 3)))[0])
        return len(self.tasks) == self.stop_after

    def teardown(self, estimator, context):
        self.torn_down += 1


def test_every_evaluation_is_told(bulk):
    recorder = Recorder()
    detector = ContrastiveFlowDetector(
        negatives="permuted", max_iter=80, n_blocks=2, random_state=0
    )
    detector.set_callbacks(recorder).fit(bulk)
    assert recorder.max_subtasks == 40
    assert len(recorder.tasks) == len(detector.history_["step"]) + 1
    assert recorder.tasks[0] == "warm-up to step 2"
    assert recorder.tasks[-1] == "fit"
    assert np.isfinite(recorder.scores).all()
    assert recorder.torn_down == 1
    assert not [name for name in vars(detector) if name.startswith("_callback")]


def test_a_callback_may_stop(bulk):
    detector = RealNVPOutlierDetector(max_iter=100, random_state=0)
    detector.set_callbacks(Recorder(stop_after=3)).fit(bulk)
    assert detector.n_iter_ == 15


def test_a_stop_in_the_warm_up_ends_the_fit(bulk):
    detector = ContrastiveFlowDetector(
        negatives="permuted", max_iter=80, n_blocks=2, random_state=0
    )
    detector.set_callbacks(Recorder(stop_after=3)).fit(bulk)
    assert set(detector.history_["phase"]) == {"warm-up"}
    assert detector.n_iter_ == 6


def test_the_copy_that_sets_the_threshold_is_not_told(bulk):
    recorder = Recorder()
    detector = RealNVPOutlierDetector(max_iter=20, early_stopping=False, random_state=0)
    detector.set_callbacks(recorder).fit(bulk)
    assert len(recorder.tasks) == 21
    assert recorder.torn_down == 1


def test_failed_fit_tears_down_and_leaves_no_trace(bulk):
    recorder = Recorder()
    detector = RealNVPOutlierDetector(max_iter=10, learning_rate=1e30).set_callbacks(recorder)
    with pytest.raises(FloatingPointError):
        detector.fit(bulk)
    assert recorder.torn_down == 1
    assert set(vars(detector)) == {*detector.get_params(), "_skl_callbacks"}


def test_a_detector_that_cannot_score_while_it_trains(bulk):
    recorder = Recorder()
    CSIDetector(max_iter=3, random_state=0).set_callbacks(recorder).fit(np.repeat(bulk, 3, axis=1))
    assert recorder.tasks[-1] == "fit"
    assert not recorder.scores


def test_flows_inside_another_detector_keep_no_trace(bulk):
    """A context that stayed in their state could not be written to a file."""
    ensemble = FlowEnsemble(RealNVPOutlierDetector(max_iter=5), n_estimators=2).fit(bulk)
    for flow in ensemble.estimators_:
        assert not [name for name in vars(flow) if name.startswith(("_callback", "_skl"))]


def test_progress_bar(bulk, capsys):
    pytest.importorskip("rich", reason="scikit-learn's progress bar needs rich")
    RealNVPOutlierDetector(max_iter=20).set_callbacks(callback.ProgressBar()).fit(bulk)
    assert "RealNVPOutlierDetector" in capsys.readouterr().out
