"""Time scikit-learn's checks of the detectors, one after the other.

python benchmarks/estimator_checks.py
"""

import time
import warnings

import torch
from sklearn.utils.estimator_checks import check_estimator

import skflow


def main() -> None:
    warnings.simplefilter("ignore")
    print(f"{torch.get_num_threads()} threads")
    total = 0.0
    # A camera has a fixed number of pixels, where these checks pass any number of columns.
    for name in [name for name in skflow.__all__ if name != "HillasTransformer"]:
        start = time.perf_counter()
        results = check_estimator(getattr(skflow, name)(), on_skip=None)
        seconds = time.perf_counter() - start
        total += seconds
        print(f"{name}: {len(results)} checks, {seconds:.1f} s")
    print(f"all: {total:.1f} s")


if __name__ == "__main__":
    main()
