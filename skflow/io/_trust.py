"""Which types a model file may hold: those that run no code of it, and whose arrays we check."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any
from zipfile import ZIP_STORED, ZipFile

from sklearn.base import BaseEstimator
from sklearn.utils.discovery import all_estimators

#: scikit-learn's estimators that compute in NumPy, or whose compiled code is given arrays that
#: `checked` looks at. Others, such as support vector machines, index what they are given blindly.
SKLEARN_ESTIMATORS = {
    "Binarizer",
    "ColumnTransformer",
    "DecisionTreeClassifier",
    "DecisionTreeRegressor",
    "EllipticEnvelope",
    "EmpiricalCovariance",
    "ExtraTreeClassifier",
    "ExtraTreeRegressor",
    "ExtraTreesClassifier",
    "ExtraTreesRegressor",
    "FactorAnalysis",
    "FastICA",
    "FeatureUnion",
    "FrozenEstimator",
    "FunctionTransformer",
    "GaussianMixture",
    "GaussianRandomProjection",
    "IncrementalPCA",
    "IsolationForest",
    "IsotonicRegression",
    "KernelDensity",
    "LabelBinarizer",
    "LedoitWolf",
    "LinearDiscriminantAnalysis",
    "LocalOutlierFactor",
    "LogisticRegression",
    "MLPClassifier",
    "MLPRegressor",
    "MaxAbsScaler",
    "MinCovDet",
    "MinMaxScaler",
    "MissingIndicator",
    "NearestNeighbors",
    "Normalizer",
    "OneHotEncoder",
    "OrdinalEncoder",
    "PCA",
    "Pipeline",
    "PolynomialFeatures",
    "PowerTransformer",
    "QuadraticDiscriminantAnalysis",
    "QuantileTransformer",
    "RandomForestClassifier",
    "RandomForestRegressor",
    "Ridge",
    "RobustScaler",
    "SelectKBest",
    "SimpleImputer",
    "StandardScaler",
    "TruncatedSVD",
    "VarianceThreshold",
}
#: Parts of these and of skflow's estimators that are no estimators.
PARTS = {
    "numpy.dtype",
    "scipy.sparse._csr.csr_array",
    "skflow.calibration._calibration_rows.CalibrationRows",
    "skflow.detectors._reservoir.Passed",
    "skflow.detectors._reservoir.Reservoir",
    "skflow.hillas._geometry.CameraGeometry",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.tree._tree.Tree",
}


def check_size(archive: ZipFile, n_bytes: int) -> None:
    """Refuse an archive that unpacks to more than it is."""
    entries = archive.infolist()
    stored = all(entry.compress_type == ZIP_STORED for entry in entries)
    if not stored or sum(entry.file_size for entry in entries) > n_bytes:
        raise ValueError("its archive unpacks to more than its own size")


def refused_types(archive: ZipFile, untrusted: set[str], trusted: set[str]) -> list[str]:
    """Types and functions in a skops file that nobody trusts.

    Parameters
    ----------
    archive : ZipFile
        The file.
    untrusted : set of str
        Those of its types that skops does not trust.
    trusted : set of str
        Those that the user trusts.

    Returns
    -------
    refused : list of str
        Names of the others, less ours. scikit-learn's estimators, all of which skops trusts, are
        among them unless they are in the list above.
    """
    nodes = _nodes(json.loads(archive.read("schema.json")))
    named = {f"{node['__module__']}.{node['__class__']}" for node in nodes}
    return sorted((untrusted | (named & _blind())) - PARTS - _own_estimators() - trusted)


@cache
def _blind() -> set[str]:
    """scikit-learn's other estimators."""
    return {_full_name(cls) for name, cls in all_estimators() if name not in SKLEARN_ESTIMATORS}


def _own_estimators() -> set[str]:
    # From what is imported here: a name in a file never makes us import its module.
    from .. import calibration, detectors, hillas, images, interop  # noqa: F401

    def below(cls: Any) -> Iterator[type]:
        for child in cls.__subclasses__():
            yield child
            yield from below(child)

    return {_full_name(cls) for cls in below(BaseEstimator) if cls.__module__[:7] == "skflow."}


def _full_name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__name__}"


def _nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """Parts of a skops schema that name a class."""
    stack = [schema]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            if {"__class__", "__module__"} <= value.keys():
                yield value
            stack.extend(value.values())
        elif isinstance(value, list):
            stack.extend(value)
