"""Features for the benchmarks of images, fitted to an unlabelled auxiliary set."""

from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import Normalizer

from skflow.images import MoCoTransformer


def moco() -> Pipeline:
    """Features by momentum contrast on the unit sphere: arXiv:2208.14024, section 5.

    On the CPU: processes in which CUDA is started cannot be forked, as the benchmark's are.
    """
    return make_pipeline(MoCoTransformer(device="cpu", random_state=0), Normalizer())
