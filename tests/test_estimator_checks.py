"""scikit-learn's own checks, with no expected failure."""

import pytest
from pyod.models.knn import KNN
from sklearn.utils.estimator_checks import parametrize_with_checks

from skflow import (
    AutoencoderDetector,
    ContrastiveFlowDetector,
    FlowEnsemble,
    FlowNeighborsDetector,
    MahalanobisDetector,
    RealNVPOutlierDetector,
)
from skflow.interop import PyODDetector

ESTIMATORS = [
    AutoencoderDetector(),
    ContrastiveFlowDetector(),
    MahalanobisDetector(),
    *(
        MahalanobisDetector(covariance=covariance)
        for covariance in ("diagonal", "spherical", "ledoit_wolf", "mcd")
    ),
    RealNVPOutlierDetector(),
    RealNVPOutlierDetector(nan_policy="omit", max_iter=20),
    RealNVPOutlierDetector(flow="spline", n_blocks=2, hidden_features=16, max_iter=50),
    FlowEnsemble(RealNVPOutlierDetector(max_iter=50), n_estimators=2),
    FlowNeighborsDetector(),
    FlowNeighborsDetector(n_neighbors=3, trim=0.1, nan_policy="omit"),
    PyODDetector(KNN()),
]


# Detectors warn about y in {0, 1}, which many checks pass.
@pytest.mark.filterwarnings("ignore:y holds 0 and 1:UserWarning")
@parametrize_with_checks(ESTIMATORS)
def test_scikit_learn_checks(estimator, check):
    check(estimator)
