"""What skflow says to what cannot be: every message of the list is triggered and printed.

    PYTHONHASHSEED=0 python benchmarks/error_messages.py [--output docs/errors.md]

Each case is a line of code that a user could write; `X` is a table of 200 rows and 3 columns, `y`
has -1 for the last ten rows. Writes a page in Markdown, which a test compares with that in docs/.
The seed is for the order of sets in scikit-learn's messages.
"""

import argparse
import contextlib
import os
import tempfile
import textwrap
import warnings
from pathlib import Path

SETUP = """
import numpy as np
import skflow
from skflow import *
from skflow import calibration, datasets, hillas, images, inspection, interop, metrics
X = np.random.RandomState(0).normal(size=(200, 3))
y = np.repeat([1, -1], [190, 10])
flow = RealNVPOutlierDetector(max_iter=2, random_state=0).fit(X)
open("notes.txt", "w").write("no model")
open("broken.skflow", "wb").write(b"no model")
"""
CASES = {
    "Rows": [
        "RealNVPOutlierDetector().fit(X[0])",
        "RealNVPOutlierDetector().fit(X[:1])",
        "RealNVPOutlierDetector().fit(np.where(X > 2, np.nan, X))",
        "RealNVPOutlierDetector().fit([['a', 'b']])",
        "flow.predict(X[:, :2])",
        "flow.score_samples([[1, 2, 1j]])",
        "RealNVPOutlierDetector().score_samples(X)",
    ],
    "Labels and contrast rows": [
        "RareEventDetector().fit(X, np.where(y == -1, -1, 0))",
        "RareEventDetector().fit(X, y[:5])",
        "RareEventDetector().fit(X, -np.ones(200))",
        "ContrastiveFlowDetector().fit(X, X_contrast=X[:, :2])",
        "ContrastiveFlowDetector().fit(X, X_contrast=X[:0])",
        "ContrastiveFlowDetector().fit(X, X_contrast=np.full((5, 3), np.nan))",
        "DensityRatioDetector(MahalanobisDetector(), AutoencoderDetector()).fit(X, y)",
    ],
    "Parameters": [
        "RealNVPOutlierDetector(contamination=0.7).fit(X)",
        "RealNVPOutlierDetector(max_iter=0).fit(X)",
        "RealNVPOutlierDetector(flow='glow').fit(X)",
        "RealNVPOutlierDetector(device='tpu').fit(X)",
        "RealNVPOutlierDetector(condition=[5]).fit(X)",
        "RealNVPOutlierDetector(discrete_features=['n']).fit(X)",
        "ContrastiveFlowDetector(objective='hinge').fit(X, y)",
        "MahalanobisDetector(covariance='round').fit(X)",
        "flow.set_params(hidden_features=5, warm_start=True).fit(X)",
    ],
    "What a detector cannot do": [
        "AutoencoderDetector(max_iter=2).fit(X).score(X)",
        "ContrastiveFlowDetector(max_iter=4).fit(X, y).score(X)",
        "flow.sample(-1)",
        "skflow.inspection.nearest_normal(MahalanobisDetector().fit(X), X)",
    ],
    "Decisions": [
        "calibration.ConformalDetector(flow, alpha=1.5).fit(X)",
        "calibration.ConformalDetector(MahalanobisDetector()).predict(X)",
        "calibration.ThresholdDetector(MahalanobisDetector(), rule='3 sigma').fit(X)",
        "metrics.get_scorer('roc')",
        "metrics.roc_auc_score(np.ones(5), np.arange(5))",
        "metrics.roc_auc_score([0, 1, 1], [1, 2, 3])",
    ],
    "Images": [
        "HillasTransformer(hillas.CameraGeometry.hexagonal(3)).fit(X)",
        "images.FastFlowDetector(image_shape=(2, 2)).fit(X)",
        "images.make_anomalies(np.zeros((5, 8, 8)), kinds=['scratch'])",
        "datasets.make_shower_images(10, kind='kaon')",
    ],
    "Files": [
        "skflow.load('missing.skflow')",
        "skflow.load('broken.skflow')",
        "skflow.save(RealNVPOutlierDetector(), 'model.skflow')",
        "RealNVPOutlierDetector().fit_stream('notes.txt')",
        "RealNVPOutlierDetector().fit_stream([])",
        "datasets.fetch_adbench('magick')",
    ],
    "PyOD": [
        "interop.PyODDetector(MahalanobisDetector()).fit(X)",
        "interop.to_pyod('KNN').fit(X)",
    ],
}


def message(code: str, scope: dict[str, object]) -> str:
    """What comes of a line of code that must fail."""
    try:
        exec(code, dict(scope))
    except Exception as error:
        # scikit-learn's available_if puts the reason there.
        said = error.__cause__ if isinstance(error, AttributeError) and error.__cause__ else error
        return f"{type(said).__name__}: {said}"
    raise AssertionError(f"no error: {code}")


def page() -> str:
    """All cases and messages in Markdown."""
    parts = [
        "# Error messages\n\nWhat skflow says to what cannot be: what must be, and what was got. "
        "`benchmarks/error_messages.py` runs each line and prints what comes of it; `X` has 200 "
        "rows and 3 columns, `y` has -1 for the last ten rows, `flow` is a fitted "
        "`RealNVPOutlierDetector`.\n"
    ]
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.chdir(folder),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        scope: dict[str, object] = {}
        exec(SETUP, scope)
        for title, cases in CASES.items():
            parts.append(f"## {title}\n")
            for code in cases:
                lines = message(code, scope).splitlines()
                text = "\n".join(textwrap.fill(x, 110, break_long_words=False) for x in lines)
                parts.append(f"```text\n>>> {code}\n{text}\n```\n")
    return "\n".join(parts)


def main() -> None:
    """Parse the command line and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("docs/errors.md"))
    os.environ.pop("SKFLOW_DATA", None)  # what is there differs from machine to machine
    parser.parse_args().output.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
