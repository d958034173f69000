"""Time scikit-learn's checks of the four detectors, one after the other.

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
    for name in skflow.__all__:
        start = time.perf_counter()
        results = check_estimator(getattr(skflow, name)(), on_skip=None)
        seconds = time.perf_counter() - start
        total += seconds
        print(f"{name}: {len(results)} checks, {seconds:.1f} s")
    print(f"all: {total:.1f} s")


if __name__ == "__main__":
    main()
