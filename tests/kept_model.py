"""Writes the model file that later versions must still read: `python tests/kept_model.py`.

Run once a version that changes the format, under the version's name; older files stay.
"""

from pathlib import Path

import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skflow
from skflow.calibration import ConformalDetector

FOLDER = Path(__file__).parent / "files"


def rows():
    """Two correlated features."""
    x = np.random.RandomState(0).normal(size=(120, 2))
    return np.column_stack([x[:, 0], x[:, 0] ** 2 + 0.5 * x[:, 1]])


def main():
    flow = skflow.RealNVPOutlierDetector(n_blocks=2, hidden_features=8, max_iter=30, random_state=0)
    model = make_pipeline(StandardScaler(), ConformalDetector(flow, random_state=0)).fit(rows())
    FOLDER.mkdir(exist_ok=True)
    skflow.save(model, FOLDER / f"model-{skflow.__version__}.skflow", X=rows())
    results = {"scores": model.score_samples(rows()), "labels": model.predict(rows())}
    np.savez(FOLDER / f"model-{skflow.__version__}.npz", **results)


if __name__ == "__main__":
    main()
