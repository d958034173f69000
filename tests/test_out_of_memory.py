"""Scoring goes on in smaller chunks where memory runs out, and says so."""

import numpy as np
import pytest
import torch

from skflow import RealNVPOutlierDetector


def torch_without_memory():
    torch.empty(2**50)


ERRORS = {
    "NumPy": lambda: np.empty(2**50).fill(0),
    "torch on a CPU": torch_without_memory,
    "torch on a GPU": lambda: (_ for _ in ()).throw(torch.OutOfMemoryError("CUDA out of memory")),
}


@pytest.fixture
def fitted(bulk, monkeypatch):
    """A detector, its scores, and a way to run out of memory above some number of rows."""
    detector = RealNVPOutlierDetector(max_iter=5, random_state=0).fit(bulk)
    scores, score_rows = detector.score_samples(bulk), RealNVPOutlierDetector._score_rows

    def limit(n_rows, fail):
        def limited(self, module, rows):
            if len(rows) > n_rows:
                fail()
            return score_rows(self, module, rows)

        monkeypatch.setattr(RealNVPOutlierDetector, "_score_rows", limited)

    return detector, scores, limit


@pytest.mark.parametrize("fail", ERRORS.values(), ids=list(ERRORS))
def test_smaller_chunks(fitted, bulk, fail):
    detector, scores, limit = fitted
    limit(100, fail)
    with pytest.warns(UserWarning, match=r"out of memory and goes on with 64 rows at a time"):
        limited = detector.score_samples(bulk)
    np.testing.assert_allclose(limited, scores, rtol=1e-9)


def test_no_row_fits(fitted, bulk):
    detector, _, limit = fitted
    limit(0, ERRORS["torch on a CPU"])
    with pytest.warns(UserWarning, match="with 1 rows"), pytest.raises(RuntimeError, match="alloc"):
        detector.score_samples(bulk)


def test_other_errors_are_not_taken_for_it(fitted, bulk):
    detector, _, limit = fitted
    limit(0, lambda: torch.ones(2) @ torch.ones(3))
    with pytest.raises(RuntimeError, match="size"):
        detector.score_samples(bulk)
