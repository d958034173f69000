"""Any finite table: a fit succeeds or says why, and scores are finite and repeatable."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.base import clone

from skflow import (
    AutoencoderDetector,
    ContrastiveFlowDetector,
    MahalanobisDetector,
    RealNVPOutlierDetector,
)

DETECTORS = [
    AutoencoderDetector(max_iter=12, random_state=0),
    ContrastiveFlowDetector(max_iter=16, random_state=0),
    *(MahalanobisDetector(covariance=c) for c in ("full", "spherical", "ledoit_wolf")),
    RealNVPOutlierDetector(max_iter=12, random_state=0),
]

tables = hnp.arrays(
    np.float64,
    st.tuples(st.integers(2, 30), st.integers(1, 4)),
    fill=st.just(1.0),
    elements=st.floats(allow_nan=False, allow_infinity=False),
)


def check(detector, X):
    detector = clone(detector).fit(X)
    scores = detector.score_samples(X)
    assert np.isfinite(scores).all()
    assert np.isfinite(detector.offset_)
    assert set(detector.predict(X)) <= {-1, 1}
    np.testing.assert_allclose(detector.score_samples(X[:1]), scores[:1], rtol=1e-9)
    assert np.isfinite(getattr(detector, "history_", {"loss": [0]})["loss"]).all()


@pytest.mark.filterwarnings("ignore:ContrastiveFlowDetector got one feature:UserWarning")
@pytest.mark.parametrize("detector", DETECTORS, ids=lambda detector: type(detector).__name__)
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(X=tables)
def test_any_finite_table(detector, X):
    check(detector, X)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:ContrastiveFlowDetector got one feature:UserWarning")
@pytest.mark.parametrize("detector", DETECTORS, ids=lambda detector: type(detector).__name__)
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(X=tables)
def test_any_finite_table_at_length(detector, X):
    check(detector, X)
