"""scikit-learn's own checks, with one expected failure of RareEventDetector."""

import pytest
import torch
from pyod.models.knn import KNN
from sklearn.ensemble import IsolationForest
from sklearn.utils.estimator_checks import parametrize_with_checks

from skflow import (
    AutoencoderDetector,
    ClassConditionalFlowDetector,
    ContrastiveFlowDetector,
    DensityRatioDetector,
    FlowEnsemble,
    FlowNeighborsDetector,
    MahalanobisDetector,
    RareEventDetector,
    RealNVPOutlierDetector,
)
from skflow.calibration import (
    CalibratedDetectorCV,
    ConformalDetector,
    ThresholdDetector,
    TunedThresholdDetectorCV,
)
from skflow.images import (
    CSIDetector,
    FastFlowDetector,
    FrozenFeatures,
    MoCoTransformer,
    TransformationDetector,
)
from skflow.interop import PyODDetector

ESTIMATORS = [
    AutoencoderDetector(),
    AutoencoderDetector(architecture="conv", max_iter=50),
    ClassConditionalFlowDetector(max_iter=50),
    ContrastiveFlowDetector(),
    ContrastiveFlowDetector(objective="bulk_rare", negatives="box", max_iter=40),
    ContrastiveFlowDetector(objective="exposure", negatives="noise", max_iter=40),
    DensityRatioDetector(MahalanobisDetector(), MahalanobisDetector()),
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
    RareEventDetector(RealNVPOutlierDetector(max_iter=50, n_blocks=2)),
    CSIDetector(max_iter=5, hidden_features=4, latent_features=4),
    FastFlowDetector(max_iter=10, n_blocks=2, hidden_features=8),
    FastFlowDetector(objective="likelihood", nan_policy="omit", max_iter=20, n_blocks=2),
    MoCoTransformer(width=8, n_features=4, max_iter=5),
    FrozenFeatures(torch.nn.Tanh()),
    TransformationDetector(max_iter=10, hidden_features=4),
    PyODDetector(KNN()),
    CalibratedDetectorCV(MahalanobisDetector()),
    CalibratedDetectorCV(IsolationForest(n_estimators=5, random_state=0), method="sigmoid", cv=2),
    ConformalDetector(MahalanobisDetector()),
    ConformalDetector(IsolationForest(n_estimators=10, random_state=0)),
    ThresholdDetector(MahalanobisDetector()),
    ThresholdDetector(MahalanobisDetector(), rule="sigma", level=1.0),
    ThresholdDetector(IsolationForest(n_estimators=5, random_state=0), rule="false_alarms"),
    TunedThresholdDetectorCV(MahalanobisDetector()),
    TunedThresholdDetectorCV(IsolationForest(n_estimators=5, random_state=0), cv=2),
]
#: Rows are drawn by their weights, so that a row of weight 2 is not the same as two rows: as for
#: scikit-learn's own forests.
EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": "weights are frequencies of random draws"
}


def expected_failures(estimator):
    return EXPECTED if isinstance(estimator, RareEventDetector) else {}


# Detectors warn about y in {0, 1}, which many checks pass.
@pytest.mark.filterwarnings("ignore:y holds 0 and 1:UserWarning")
@pytest.mark.filterwarnings("ignore:y holds no -1:UserWarning")
@pytest.mark.filterwarnings("ignore:.*calibration rows are too few:UserWarning")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures)
def test_scikit_learn_checks(estimator, check):
    check(estimator)
