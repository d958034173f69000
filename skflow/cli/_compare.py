"""skflow compare: detectors cross-validated on the rows of files."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..inspection import compare_detectors
from ._fit import make_detector
from ._input import Input


def compare(data: Input, detectors: Sequence[str], n_folds: int, seed: int) -> str:
    """Table of held-out figures, as text, the best detector first."""
    parts, labels = [], []
    for batch in data.batches("read"):
        kept = batch[data.passed(batch)]
        found = data.labels_of(kept)
        labels.append(np.ones(len(kept)) if found is None else found)
        parts.append(data.features(kept))
    if not parts or not sum(map(len, parts)):
        raise ValueError(f"{', '.join(map(str, data.files))} must hold rows; none are left")
    data.end()
    X = pd.concat(parts) if hasattr(parts[0], "columns") else np.concatenate(parts)
    models = [make_detector(name, ()) for name in detectors]
    for model in models:
        if "random_state" in model.get_params(deep=False):
            model.set_params(random_state=seed)
    table = compare_detectors(models, X, np.concatenate(labels), cv=n_folds, random_state=seed)
    return table.to_string(index=False, float_format="{:.4g}".format)
