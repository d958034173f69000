"""What can be checked of a fitted detector without a label."""

import warnings
from typing import Any

import numpy as np
from scipy.stats import chi2, false_discovery_control, ks_2samp, kstest
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from ..detectors._latent import last_step, latent
from ._frames import feature_names, pandas, same_columns

#: Share of distinct rows with the score of another row above which scores are saturated.
MAX_TIED = 0.01
#: Standard errors by which more rows may be repeated from training than within it.
N_ERRORS = 3.0


def health_check(estimator: Any, X: Any, *, X_train: Any = None, level: float = 0.05) -> Any:
    """Check a fitted detector on bulk rows that it has not seen; no label is needed.

    - **Latent space** (flows trained by likelihood alone): is each coordinate standard normal, and
      the squared distance from the centre chi-square? One-sample Kolmogorov-Smirnov tests. Where
      not, thresholds in standard deviations do not hold, and the density is off.
    - **Saturation**: distinct rows with equal scores, which cannot be ranked, and rows without a
      finite score.
    - **Leakage** (with `X_train`): rows that are training rows, too; what is measured on them says
      nothing of new rows. Tables whose training rows repeat each other as often are not warned of.
    - **Drift** (with `X_train`): is each feature distributed as in training? Two-sample
      Kolmogorov-Smirnov tests of the features that the detector sees. `domain_check` tests all
      features together.

    Within latent space and drift, p-values are corrected for the number of tests (Benjamini and
    Hochberg). With many rows tests find departures too small to matter: read `statistic`, the
    largest difference between two distribution functions.

    Parameters
    ----------
    estimator : detector
        Any fitted outlier detector, also at the end of a pipeline.
    X : array-like of shape (n_samples, n_features)
        Bulk rows that it has not seen.
    X_train : array-like of shape (n_train, n_features), default=None
        Bulk rows that it was fitted to.
    level : float in (0, 1), default=0.05
        Corrected p-value below which a test fails.

    Returns
    -------
    checks : pandas.DataFrame
        A row for each test: ``check``, ``of`` (coordinate or feature), ``statistic`` (distance of
        distributions, or share of rows), ``p_value`` corrected (NaN where it is no test) and
        ``passed``. A kind of check that fails is warned about.

    Raises
    ------
    ImportError
        If pandas is not installed.
    ValueError
        If `level` is not in (0, 1), fewer than two rows of X or X_train have no NaN, or their
        columns differ.

    See Also
    --------
    domain_check : Whether simulated and observed rows can be told apart.
    LatentQQDisplay : The latent space as a picture.

    Examples
    --------
    >>> import numpy as np
    >>> from skflow import RealNVPOutlierDetector
    >>> from skflow.inspection import health_check
    >>> X = np.random.RandomState(0).normal(size=(2000, 2))
    >>> flow = RealNVPOutlierDetector(random_state=0).fit(X[:1500])
    >>> health_check(flow, X[1500:], X_train=X[:1500])[["check", "of", "passed"]]
            check      of  passed
    0      latent      z0    True
    1      latent      z1    True
    2      latent  radius    True
    3  saturation    tied    True
    4  saturation    lost    True
    5     leakage    rows    True
    6       drift      x0    True
    7       drift      x1    True
    """
    pd = pandas("health_check")
    check_is_fitted(estimator)
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1; got {level}")
    detector, given = last_step(estimator, X)
    names = feature_names(estimator, detector, given)
    score = np.asarray(detector.score_samples(given), dtype=np.float64)
    rows = check_array(given, dtype=np.float64, ensure_all_finite=False)
    whole = np.isfinite(rows).all(axis=1)
    if whole.sum() < 2:
        raise ValueError(f"X must hold at least two rows without NaN; got {whole.sum()}")
    found = _latent_tests(detector, given) + _saturation(rows[whole], score[whole])
    if X_train is not None:
        same_columns(X, X_train)
        known = check_array(
            last_step(estimator, X_train)[1], dtype=np.float64, ensure_all_finite=False
        )
        whole_known = np.isfinite(known).all(axis=1)
        if whole_known.sum() < 2:
            raise ValueError(
                f"X_train must hold at least two rows without NaN; got {whole_known.sum()}"
            )
        found.append(_leakage(rows[whole], known[whole_known]))
        tests = [
            ks_2samp(new[~np.isnan(new)], old[~np.isnan(old)])
            for new, old in zip(rows.T, known.T, strict=True)
        ]
        found += _corrected("drift", names, tests)
    checks = pd.DataFrame(found, columns=["check", "of", "statistic", "p_value", "passed"])
    checks["passed"] = checks["passed"].where(checks["p_value"].isna(), checks["p_value"] >= level)
    checks["passed"] = checks["passed"].astype(bool)
    for check, of_check in checks[~checks["passed"]].groupby("check", sort=False):
        worst = of_check.loc[of_check["statistic"].idxmax()]
        warnings.warn(
            MESSAGES[check].format(
                worst=worst["of"], statistic=worst["statistic"], n=len(of_check)
            ),
            UserWarning,
            stacklevel=2,
        )
    return checks


MESSAGES = {
    "latent": "the latent space is not normal ({n} tests fail, {worst} is off by {statistic:.3f} "
    "in distribution): thresholds in standard deviations do not hold, conformal ones do",
    "saturation": "scores are saturated ({worst}: {statistic:.1%} of the rows): such rows cannot "
    "be ranked",
    "leakage": "{statistic:.1%} of the rows are training rows: figures measured on them say "
    "nothing of new rows",
    "drift": "{n} features are not distributed as in training, most of all {worst} (off by "
    "{statistic:.3f} in distribution): thresholds may not hold",
}


def _latent_tests(detector: Any, given: Any) -> list[tuple[Any, ...]]:
    try:
        Z = latent(detector, given)
    except ValueError:  # no latent space
        return []
    Z = Z[~np.isnan(Z).any(axis=1)]
    radius = kstest(np.square(Z).sum(axis=1), chi2(Z.shape[1]).cdf)
    tests = [kstest(column, "norm") for column in Z.T]
    names = [*(f"z{j}" for j in range(Z.shape[1])), "radius"]
    return _corrected("latent", names, [*tests, radius])


def _corrected(check: str, names: list[str], tests: list[Any]) -> list[tuple[Any, ...]]:
    p_values = false_discovery_control([test.pvalue for test in tests])
    return [
        (check, name, float(test.statistic), float(p), True)
        for name, test, p in zip(names, tests, p_values, strict=True)
    ]


def _saturation(rows: np.ndarray, score: np.ndarray) -> list[tuple[Any, ...]]:
    distinct = np.unique(rows, axis=0, return_index=True)[1]
    finite = score[distinct][np.isfinite(score[distinct])]
    _, counts = np.unique(finite, return_counts=True)
    tied = counts[counts > 1].sum() / len(distinct)
    lost = float(np.mean(~np.isfinite(score)))
    return [
        ("saturation", "tied", float(tied), np.nan, tied <= MAX_TIED),
        ("saturation", "lost", lost, np.nan, lost == 0),
    ]


def _leakage(rows: np.ndarray, known: np.ndarray) -> tuple[Any, ...]:
    number = np.unique(np.concatenate([rows, known]), axis=0, return_inverse=True)[1].ravel()
    new, old = number[: len(rows)], number[len(rows) :]
    share = float(np.mean(np.isin(new, old)))
    _, place, counts = np.unique(old, return_inverse=True, return_counts=True)
    repeated = float(np.mean(counts[place.ravel()] > 1))
    # Both shares are estimates of one probability where nothing leaks.
    both = (share * len(new) + repeated * len(old)) / (len(new) + len(old))
    error = np.sqrt(both * (1 - both) * (1 / len(new) + 1 / len(old)))
    return "leakage", "rows", share, np.nan, share <= repeated + N_ERRORS * error
