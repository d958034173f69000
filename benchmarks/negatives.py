"""Do synthetic negatives help where there is neither a label nor an auxiliary sample?

    python benchmarks/negatives.py [--seeds 1] [--jobs 2] [--output negatives-output]

One-class splits of ADBench's tables of at least 200 training rows, at most 4,000 rows of each: a
flow of the bulk, contrastive flows with each kind of negatives, outlier exposure, and the control,
extra-trees that tell the bulk from the same negatives. Then two criteria that see the training
bulk alone: a quarter of it is held out, and what is trained on the rest tells it from negatives of
its own. "missed" is by how much extra-trees do that better than the flow, "mended" by how much the
contrastive flow does. Spearman's rank correlation says whether either tells where negatives help.
Writes results.csv and results.md.
"""

import argparse
import warnings
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy.stats import spearmanr
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import train_test_split

from skflow.benchmark import load_table, make_detector, make_trial
from skflow.benchmark._tables import table_names
from skflow.detectors._negatives import NEGATIVES
from skflow.metrics import roc_auc_score

MAX_ROWS, MIN_TRAIN = 4000, 200
METHODS = {
    "flow": None,
    "permuted": {"negatives": "permuted", "contrast_weight": 1.0},
    "noise": {"negatives": "noise", "contrast_weight": 1.0},
    "box": {"negatives": "box", "contrast_weight": 1.0},
    "exposure, permuted": {"negatives": "permuted", "objective": "exposure"},
}


def flow_scores(params: dict[str, Any] | None, seed: int, X: np.ndarray, *tests: np.ndarray) -> Any:
    """Anomaly scores of a flow, with contrast if there are parameters for it."""
    name = "RealNVPOutlierDetector" if params is None else "ContrastiveFlowDetector"
    params = {"contamination": 0.05} | (params or {})
    detector = make_detector(name, params, random_state=seed, n_features=X.shape[1]).fit(X)
    return [-detector.score_samples(test) for test in tests]


def tree_scores(kind: str, seed: int, X: np.ndarray, *tests: np.ndarray) -> Any:
    """Log-odds' rank of a negative by extra-trees, the control."""
    negatives = NEGATIVES[kind](X, np.random.RandomState(seed))
    trees = ExtraTreesClassifier(200, min_samples_leaf=3, random_state=seed)
    trees.fit(np.concatenate([X, negatives]), np.repeat([0, 1], len(X)))
    return [trees.predict_proba(test)[:, 1] for test in tests]


def run(table: str, seed: int) -> dict[str, Any] | None:
    """All methods and criteria on one split."""
    warnings.simplefilter("ignore")  # of negatives that resemble the bulk: it is in the table
    trial = make_trial(load_table(table), "one-class", seed=seed, max_rows=MAX_ROWS)
    X, X_test, y_test = trial.X_train, trial.X_test, trial.y_test
    if len(X) < MIN_TRAIN or X.shape[1] < 2:
        return None
    row: dict[str, Any] = {"table": table.removeprefix("adbench/"), "seed": seed}
    for name, params in METHODS.items():
        row[name] = roc_auc_score(y_test, *flow_scores(params, seed, X, X_test))
    for kind in ("permuted", "noise"):
        row[f"trees, {kind}"] = roc_auc_score(y_test, *tree_scores(kind, seed, X, X_test))
    rest, held_out = train_test_split(X, test_size=0.25, random_state=seed)
    negatives = NEGATIVES["permuted"](held_out, np.random.RandomState(seed))
    label = np.repeat([1, -1], len(held_out))

    def told_apart(scores: Any) -> float:
        return roc_auc_score(label, np.concatenate(scores))

    flow = told_apart(flow_scores(None, seed, rest, held_out, negatives))
    trees = told_apart(tree_scores("permuted", seed, rest, held_out, negatives))
    contrast = told_apart(flow_scores(METHODS["permuted"], seed, rest, held_out, negatives))
    return row | {"missed": trees - flow, "mended": contrast - flow}


def report(results: pd.DataFrame) -> str:
    """Means, then whether a criterion tells where permuted negatives help."""
    means = results.groupby("table").mean().drop(columns="seed")
    gain = means["permuted"] - means["flow"]
    text = (100 * means).round(1).reset_index().to_markdown(index=False)
    lines = [
        f"Means over {len(means)} tables, splits of each: {results['seed'].nunique()}. "
        + ", ".join(f"{name} {100 * v:.1f}" for name, v in means.iloc[:, :-2].mean().items()),
    ]
    for name in ("missed", "mended"):
        found = spearmanr(means[name], gain)
        chosen = gain.where(means[name] > 0, 0.0).mean()
        lines.append(
            f"{name}: rank correlation with the gain by permuted negatives {found.statistic:+.2f} "
            f"(p = {found.pvalue:.2f}); negatives only where it is positive change the mean by "
            f"{100 * chosen:+.1f}; wherever they help, known from the test rows, by "
            f"{100 * gain.clip(lower=0).mean():+.1f}"
        )
    return text + "\n\n" + "\n\n".join(line + "." for line in lines) + "\n"


def main() -> None:
    """Parse the command line, run all splits, write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--tables", default="adbench/*")
    parser.add_argument("--output", type=Path, default=Path("negatives-output"))
    arguments = parser.parse_args()
    splits = product(table_names(arguments.tables), range(arguments.seeds))
    rows = Parallel(n_jobs=arguments.jobs)(delayed(run)(*split) for split in splits)
    results = pd.DataFrame([row for row in rows if row])
    arguments.output.mkdir(parents=True, exist_ok=True)
    results.round(6).to_csv(arguments.output / "results.csv", index=False)
    text = report(results)
    (arguments.output / "results.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
