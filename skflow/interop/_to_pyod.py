"""to_pyod: a detector in PyOD's interface, for PyOD's combination tools."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._pyod_adapter import PyODAdapter


def to_pyod(detector: Any, contamination: Any = 0.1) -> "PyODAdapter":
    """Give a detector PyOD's interface, so that it can join PyOD's combination tools.

    The result is a ``pyod.models.base.BaseDetector``: scores are higher for outliers, labels are
    1 for outliers and 0 for inliers, and ``predict_proba``, ``predict_confidence`` and the rest
    are PyOD's own.

    Parameters
    ----------
    detector : estimator with ``fit`` and ``score_samples``
        A skflow detector, or one of scikit-learn's such as `sklearn.ensemble.IsolationForest`
        or ``LocalOutlierFactor(novelty=True)``, in a pipeline or not. ``fit`` trains a copy.
        Its own ``contamination`` plays no part; a float there spares the second fit that some
        detectors make for "auto".
    contamination : float in (0, 0.5] or PyThresh object, default=0.1
        Share of the training rows above the threshold, known outliers included.

    Returns
    -------
    adapter : PyODAdapter
        Not fitted. Its parameters are ``estimator``, whose own are ``estimator__...``, and
        ``contamination``. ``fit(X, y)`` takes PyOD's labels, 1 for known outliers and 0 for
        inliers, and gives the detector -1 and +1: skflow's detectors leave known outliers out
        of training or learn from them, scikit-learn's ignore them. After ``fit`` it has
        ``estimator_``, ``decision_scores_``, ``threshold_`` and ``labels_``.

    Raises
    ------
    ImportError
        If PyOD is not installed.
    ValueError
        If ``contamination`` is a number outside (0, 0.5]. From ``fit``: if a parameter is not
        valid or y holds anything but 0 and 1. From ``fit`` and all that scores: if a score is not
        finite, as for rows with NaN under ``nan_policy="omit"``, which PyOD would call inliers.

    See Also
    --------
    PyODDetector : The way back, from PyOD's interface to this one.

    Notes
    -----
    ``decision_scores_`` are the scores that ``decision_function`` gives the training rows. A
    neighbour-based detector scores these, which are their own neighbours, as more normal than
    fresh rows.

    References
    ----------
    .. [1] Zhao, Nasrullah and Li, "PyOD: A Python Toolbox for Scalable Outlier Detection",
       JMLR 20, 2019.

    Examples
    --------
    The mean standardised score of two detectors:

    >>> import numpy as np
    >>> from pyod.models.knn import KNN
    >>> from pyod.utils.utility import standardizer
    >>> from skflow import MahalanobisDetector
    >>> from skflow.interop import to_pyod
    >>> X = np.random.RandomState(0).normal(size=(300, 2))
    >>> X_new = np.array([[0.0, 0.0], [8.0, -8.0]])
    >>> detectors = [to_pyod(MahalanobisDetector(), contamination=0.05).fit(X), KNN().fit(X)]
    >>> detectors[0].predict(X_new)
    array([0, 1])
    >>> train = np.column_stack([detector.decision_scores_ for detector in detectors])
    >>> new = np.column_stack([detector.decision_function(X_new) for detector in detectors])
    >>> standardizer(train, new)[1].mean(axis=1) > 3
    array([False,  True])
    """
    try:
        from ._pyod_adapter import PyODAdapter
    except ImportError as error:
        raise ImportError("to_pyod needs PyOD: pip install skflow-detect[pyod]") from error
    return PyODAdapter(detector, contamination=contamination)
