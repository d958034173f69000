"""Detectors of the benchmark, by name: skflow's and its peers, with documented defaults."""

import inspect
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, NamedTuple

from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import PowerTransformer, StandardScaler

from .._hints import got_name
from ..detectors import __all__ as SKFLOW
from ..images import __all__ as IMAGES

#: PyOD's own default. Only thresholds depend on it, and "auto" would take a second fit.
CONTAMINATION = 0.1


class Entry(NamedTuple):
    """Where a detector's class is, what makes a detector of it, and fixed parameters."""

    module: str
    name: str
    make: Callable[["Entry", dict[str, Any], int, int], Any]
    params: dict[str, Any] = {}


def make_detector(
    name: str,
    params: Mapping[str, Any] | None = None,
    *,
    random_state: int,
    n_features: int,
    scale: bool = True,
) -> Any:
    """Make a detector of the benchmark, unfitted.

    Parameters
    ----------
    name : str
        One of `detector_names`.
    params : mapping or None, default=None
        Parameters of the detector's own class; the class's defaults otherwise.
    random_state : int
        Its seed, where it has one and `params` sets no other.
    n_features : int
        Columns of the table, which PyOD's DeepSVDD must know.
    scale : bool, default=True
        Whether columns are standardised; pixels are not to be.

    Returns
    -------
    detector : sklearn.pipeline.Pipeline
        With `scale`, a ``scaler``, the same for all; and the ``detector``: with
        ``score_samples``, higher for the bulk, and trained on the bulk alone; or a classifier,
        which needs labels.

    Raises
    ------
    ValueError
        If there is no such detector.
    ImportError
        If its package is not installed.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from skflow.benchmark import make_detector
    >>> X = load_wine().data
    >>> knn = make_detector("DTE-NP", {"n_neighbors": 3}, random_state=0, n_features=13)
    >>> knn.fit(X).score_samples(X).shape
    (178,)
    """
    if name not in REGISTRY:
        raise ValueError(
            f"a detector must be one of {', '.join(REGISTRY)}; {got_name(name, REGISTRY)}"
        )
    entry = REGISTRY[name]
    detector = entry.make(entry, entry.params | dict(params or {}), random_state, n_features)
    return in_pipeline(detector, scale)


def imported(path: str) -> Any:
    """What "package.module:Name" stands for."""
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


def in_pipeline(detector: Any, scale: bool) -> Pipeline:
    """A detector behind the benchmark's standardisation, or alone."""
    scaler = [("scaler", StandardScaler())] if scale else []
    return Pipeline([*scaler, ("detector", detector)])


def detector_names() -> list[str]:
    """Names of all detectors, skflow's own first.

    Examples
    --------
    >>> from skflow.benchmark import detector_names
    >>> "RealNVPOutlierDetector" in detector_names()
    True
    """
    return list(REGISTRY)


def _class(entry: Entry) -> Any:
    try:
        return getattr(import_module(entry.module, __package__), entry.name)
    except ImportError as error:
        raise ImportError(
            f"{entry.name} needs {entry.module.partition('.')[0]}, which cannot be imported "
            f"({error}): pip install skflow-detect[bench]"
        ) from error


def _own(entry: Entry, params: dict[str, Any], seed: int, n_features: int) -> Any:
    """A class with scikit-learn's interface."""
    made = _class(entry)
    if "random_state" in inspect.signature(made).parameters:
        params = {"random_state": seed} | params
    return made(**params)


def _sklearn(entry: Entry, params: dict[str, Any], seed: int, n_features: int) -> Any:
    """An outlier detector of scikit-learn, which would train on known anomalies, too."""
    from ._peers import SklearnDetector

    return SklearnDetector(_own(entry, params, seed, n_features), contamination=CONTAMINATION)


def _pyod(entry: Entry, params: dict[str, Any], seed: int, n_features: int) -> Any:
    from ..interop._pyod import PyODDetector, _kept_generators

    made = _class(entry)
    if "n_features" in inspect.signature(made).parameters:
        params = {"n_features": n_features} | params
    with _kept_generators():  # some seed the global ones when they are made
        estimator = made(**params)
    seed = params.get("random_state", seed)
    return PyODDetector(estimator, contamination=CONTAMINATION, random_state=seed)


def _labelled_pyod(entry: Entry, params: dict[str, Any], seed: int, n_features: int) -> Any:
    from ..interop._pyod import _kept_generators
    from ._peers import LabelledPyODDetector

    with _kept_generators():
        estimator = _class(entry)(**params)
    return LabelledPyODDetector(estimator, contamination=CONTAMINATION, random_state=seed)


def _deepod(entry: Entry, params: dict[str, Any], seed: int, n_features: int) -> Any:
    from ..interop._pyod import PyODDetector, _kept_generators
    from ._peers import DeepODModel

    _class(entry)  # so that a missing package fails here
    seed = params.pop("random_state", seed)
    model = DeepODModel(entry.name, params)
    with _kept_generators():
        model.make()  # and a wrong parameter
    return PyODDetector(model, contamination=CONTAMINATION, random_state=seed)


def _by_hand(entry: Entry, params: dict[str, Any], seed: int, n_features: int) -> Any:
    """Normal margins, then Mahalanobis distance: normality by hand."""
    return make_pipeline(PowerTransformer(), _own(entry, params, seed, n_features))


_PYOD = {
    "KNN": "knn",
    "LOF": "lof",
    "IForest": "iforest",
    "ECOD": "ecod",
    "COPOD": "copod",
    "HBOS": "hbos",
    "PCA": "pca",
    "MCD": "mcd",
    "KDE": "kde",
    "OCSVM": "ocsvm",
    "CBLOF": "cblof",
    "INNE": "inne",
    "LUNAR": "lunar",
    "AutoEncoder": "auto_encoder",
    "VAE": "vae",
    "DeepSVDD": "deep_svdd",
    "DIF": "dif",
}
_QUIET = {name: {"verbose": 0} for name in ("AutoEncoder", "VAE", "DeepSVDD")}
_ENSEMBLE = "sklearn.ensemble"

REGISTRY: dict[str, Entry] = {
    **{
        name: Entry("..detectors", name, _own)
        for name in SKFLOW
        if not name.startswith(("Base", "Torch"))
    },
    **{name: Entry("..images", name, _own) for name in IMAGES if name.endswith("Detector")},
    **{
        name: Entry(f"pyod.models.{module}", name, _pyod, _QUIET.get(name, {}))
        for name, module in _PYOD.items()
    },
    "sklearn IsolationForest": Entry(_ENSEMBLE, "IsolationForest", _sklearn),
    "sklearn LOF": Entry("sklearn.neighbors", "LocalOutlierFactor", _sklearn, {"novelty": True}),
    "Yeo-Johnson and Mahalanobis": Entry("..detectors", "MahalanobisDetector", _by_hand),
    "DTE-NP": Entry("._peers", "DTENPDetector", _own),
    "PlanarFlow": Entry("._peers", "PlanarFlowDetector", _own),
    "PlanarFlow (-log det)": Entry("._peers", "PlanarFlowDetector", _own, {"score": "log_det"}),
    "ICL": Entry("deepod.models", "ICL", _deepod),
    "GOAD": Entry("deepod.models", "GOAD", _deepod),
    "logistic regression": Entry(
        "sklearn.linear_model", "LogisticRegression", _own, {"max_iter": 1000}
    ),
    "DevNet": Entry("._devnet", "RepairedDevNet", _labelled_pyod),
    "XGBOD": Entry("pyod.models.xgbod", "XGBOD", _labelled_pyod),
    "random forest": Entry(_ENSEMBLE, "RandomForestClassifier", _own),
    "extra-trees": Entry(_ENSEMBLE, "ExtraTreesClassifier", _own),
    "boosting": Entry(_ENSEMBLE, "HistGradientBoostingClassifier", _own),
    "MLP": Entry("..detectors._mlp", "BalancedMLPClassifier", _own),
}
