"""Threads and processes: the same values everywhere, no hang, no oversubscription."""

import multiprocessing
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import pytest
import torch
from joblib import Parallel, delayed, parallel_config
from sklearn.model_selection import GridSearchCV
from threadpoolctl import threadpool_info

from skflow import ContrastiveFlowDetector, RealNVPOutlierDetector, _threads
from skflow._threads import in_joblib_worker, map_in_threads, one_thread
from skflow.training import seeded_torch

X = np.random.RandomState(0).normal(size=(9000, 4))
DETECTORS = [
    RealNVPOutlierDetector(max_iter=20, random_state=0),
    RealNVPOutlierDetector(max_iter=5, n_blocks=2, flow="spline", random_state=0),
    ContrastiveFlowDetector(max_iter=20, random_state=0),
]
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")


@pytest.fixture(autouse=True)
def two_threads():
    """Whatever the runner's own setting: torch has threads that a fork can lose."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def fit_and_score(detector, X):
    return detector.fit(X).score_samples(X)


def n_threads(_):
    """The most threads that torch, BLAS or numba would use."""
    blas = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    # Not `numba.get_num_threads`, which starts them and sets those of torch.
    return max(torch.get_num_threads(), *blas, numba.config.NUMBA_NUM_THREADS)


@pytest.mark.parametrize("detector", DETECTORS, ids=["realnvp", "spline", "contrastive"])
def test_eight_threads_score_alike(detector):
    scores = detector.fit(X).score_samples(X)
    assert torch.get_num_threads() == 2
    with ThreadPoolExecutor(8) as pool:
        for result in pool.map(detector.score_samples, [X] * 16):
            np.testing.assert_allclose(result, scores, rtol=0, atol=1e-9)


def test_fits_in_threads_are_alike():
    expected = fit_and_score(DETECTORS[0], X)
    with parallel_config("threading", n_jobs=4):
        results = Parallel()(
            delayed(fit_and_score)(RealNVPOutlierDetector(max_iter=20, random_state=0), X)
            for _ in range(8)
        )
    for result in results:
        np.testing.assert_allclose(result, expected, rtol=0, atol=1e-9)
    assert torch.get_num_threads() == 2


def in_child(function, *args):
    """Call a function in a forked child, which must answer within a minute."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=lambda: sender.send(function(*args)))
    child.start()
    try:
        assert receiver.poll(60), "the forked child hangs"
        return receiver.recv()
    finally:
        child.kill()
        child.join()


@needs_fork
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_goes_on():
    """After a parallel operation in the parent, whose threads the child does not have."""
    detector = RealNVPOutlierDetector(max_iter=20, batch_size=2048, random_state=0).fit(X)
    scores = detector.score_samples(X)
    a = torch.ones(1500, 1500)
    assert (a @ a).sum() > 0
    assert in_child(torch.get_num_threads) == 1
    np.testing.assert_allclose(in_child(detector.score_samples, X), scores, rtol=0, atol=1e-9)
    again = RealNVPOutlierDetector(max_iter=20, batch_size=2048, random_state=0)
    np.testing.assert_allclose(in_child(fit_and_score, again, X), scores, rtol=0, atol=1e-6)


@needs_fork
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_child_forked_while_others_work_goes_on():
    detector = DETECTORS[0].fit(X)
    scores = detector.score_samples(X)
    stop = threading.Event()

    def work():
        while not stop.is_set():
            detector.score_samples(X)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        for _ in range(3):
            result = in_child(detector.score_samples, X)
            np.testing.assert_allclose(result, scores, rtol=0, atol=1e-9)
    finally:
        stop.set()
        worker.join()


def test_spawned_workers_are_alike(tmp_path):
    """A script that spawns, as Windows and macOS do."""
    script = tmp_path / "spawn.py"
    script.write_text(
        "import multiprocessing, numpy as np\n"
        "from skflow import RealNVPOutlierDetector\n"
        "if __name__ == '__main__':\n"
        "    X = np.random.RandomState(0).normal(size=(500, 4))\n"
        "    detector = RealNVPOutlierDetector(max_iter=20, random_state=0).fit(X)\n"
        "    with multiprocessing.get_context('spawn').Pool(2) as pool:\n"
        "        parts = pool.map(detector.score_samples, np.array_split(X, 4))\n"
        "    scores = np.concatenate(parts)\n"
        "    np.testing.assert_allclose(scores, detector.score_samples(X), atol=1e-9)\n"
    )
    subprocess.run([sys.executable, script], check=True, timeout=120)


def test_joblib_workers_have_one_thread_and_the_same_values():
    expected = [fit_and_score(DETECTORS[i], X) for i in (0, 2)]
    with parallel_config("loky", n_jobs=os.cpu_count()):
        assert set(Parallel()(delayed(n_threads)(i) for i in range(4))) == {1}
        results = Parallel()(delayed(fit_and_score)(DETECTORS[i], X) for i in (0, 2))
    for result, values in zip(results, expected, strict=True):
        np.testing.assert_array_equal(result, values)


def test_a_search_is_the_same_with_two_workers():
    grid = {"hidden_features": [8, 16]}
    searches = [
        GridSearchCV(DETECTORS[0], grid, cv=2, n_jobs=n_jobs).fit(X[:500]) for n_jobs in (1, 2)
    ]
    np.testing.assert_array_equal(*(search.cv_results_["mean_test_score"] for search in searches))


def test_one_thread_inside_as_many_as_before_outside():
    with one_thread() as outside:
        assert (outside, torch.get_num_threads()) == (2, 1)
        with one_thread() as outside:
            assert (outside, torch.get_num_threads()) == (1, 1)
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
    seen = map_in_threads(lambda part: (part, torch.get_num_threads()), list(range(5)))
    assert seen == [(i, 1) for i in range(5)]
    assert not in_joblib_worker()
    with parallel_config("threading", n_jobs=2):
        assert all(Parallel()(delayed(in_joblib_worker)() for _ in range(4)))


def test_leaving_before_another_thread_restores_the_number():
    inside, leave = threading.Event(), threading.Event()

    def stay():
        with one_thread():
            inside.set()
            leave.wait(60)

    with one_thread():
        beside = threading.Thread(target=stay)
        beside.start()
        assert inside.wait(60)
    leave.set()
    beside.join()
    assert torch.get_num_threads() == 2


def after_one_thread():
    """What a child does that was forked from inside, or beside, or with the lock held."""
    with one_thread(), seeded_torch(0):
        inside = torch.get_num_threads()
    a = torch.ones(1500, 1500)
    return inside, torch.get_num_threads(), (a @ a).sum().item() > 0


@needs_fork
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_child_forked_inside_starts_anew():
    a = torch.ones(1500, 1500)
    assert (a @ a).sum() > 0
    with one_thread():
        assert in_child(after_one_thread) == (1, 1, True)
    inside, stop = threading.Event(), threading.Event()

    def stay():
        with one_thread(), seeded_torch(0):
            inside.set()
            stop.wait(60)

    beside = threading.Thread(target=stay)
    beside.start()
    try:
        assert inside.wait(60)
        assert in_child(after_one_thread) == (1, 1, True)
    finally:
        stop.set()
        beside.join()
    with _threads._lock:
        assert in_child(after_one_thread) == (1, 1, True)
    assert torch.get_num_threads() == 2
