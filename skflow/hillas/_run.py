"""Between a transformer's parameters and the kernels: checks, chunks and threads."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from joblib import effective_n_jobs, parallel_config
from sklearn.utils import gen_batches, gen_even_slices

from ._batch import MASK, TAILCUTS, TIME_CONSTRAINED
from ._geometry import CameraGeometry
from ._tables import neighbor_table

#: Image values copied at a time, where they must be converted.
CHUNK_VALUES = 2**19
#: Parts that threads take in turn: enough to keep them equally busy, few enough to cost nothing.
MAX_TASKS = 16
#: What kernels are compiled for; images of other types are converted chunk by chunk.
DTYPES = (np.float32, np.float64, np.int16)
WAYS = {"tailcuts": TAILCUTS, "time_constrained": TIME_CONSTRAINED}


def camera_of(transformer: Any, n_columns: int) -> CameraGeometry:
    """The camera for so many columns of X."""
    camera, timing = transformer.geometry, transformer.timing
    n_pixels, rest = divmod(n_columns, 2) if timing else (n_columns, 0)
    if camera is None and not rest:
        return transformer._default_geometry(n_pixels)
    if rest or camera.n_pixels != n_pixels:
        each = "the charges and then the arrival times" if timing else "the charges"
        pixels = "all pixels" if camera is None else f"{camera.n_pixels} pixels"
        raise ValueError(
            f"X must hold {each} of {pixels} (timing={timing}); got {n_columns} columns"
        )
    return camera


def cleaning_arguments(transformer: Any, camera: CameraGeometry) -> list[Any]:
    """What the kernels need for cleaning, in their order."""
    if transformer.cleaning == "time_constrained" and not transformer.timing:
        raise ValueError("cleaning='time_constrained' needs timing=True; got timing=False")
    thresholds = np.empty((2, camera.n_pixels))
    for row, name in enumerate(("picture_threshold", "boundary_threshold")):
        given = getattr(transformer, name)
        array = np.asarray(given, dtype=np.float64)
        if array.shape not in ((), (camera.n_pixels,)) or not np.isfinite(array).all():
            raise ValueError(
                f"{name} must be a finite number or one for each of {camera.n_pixels} pixels; "
                f"got {given!r}"
            )
        thresholds[row] = array
    if (thresholds[0] < thresholds[1]).any():
        raise ValueError(
            "picture_threshold must not be below boundary_threshold; got "
            f"{transformer.picture_threshold!r} and {transformer.boundary_threshold!r}"
        )
    if transformer.bad_pixels is not None:
        # Nothing reaches a threshold of NaN, and what is never kept is nobody's neighbour.
        thresholds[:, _pixels(transformer.bad_pixels, camera)] = np.nan
    return [
        thresholds,
        pair(transformer.time_limits, "time_limits"),
        int(transformer.min_picture_neighbors),
        bool(transformer.keep_isolated_pixels),
        neighbor_table(camera),
    ]


def pair(values: Any, name: str) -> np.ndarray:
    """Two finite numbers."""
    array = np.asarray(values)
    if array.shape != (2,) or array.dtype.kind not in "iuf" or not np.isfinite(array).all():
        raise ValueError(f"{name} must be two finite numbers; got {values!r}")
    return array.astype(np.float64)


def _pixels(pixels: Any, camera: CameraGeometry) -> np.ndarray:
    """Indices of pixels."""
    index = np.asarray(pixels)
    if index.size == 0:
        return index.astype(np.intp)
    whole = index.ndim == 1 and np.issubdtype(index.dtype, np.integer)
    if not whole or index.min() < 0 or index.max() >= camera.n_pixels:
        raise ValueError(
            f"bad_pixels must be indices from 0 to {camera.n_pixels - 1}; got {pixels!r}"
        )
    return index


def checked_masks(masks: Any, n_events: int, camera: CameraGeometry, name: str) -> np.ndarray:
    """Masks of so many events."""
    masks, shape = np.asarray(masks), (n_events, camera.n_pixels)
    if masks.shape != shape or masks.dtype != bool:
        raise ValueError(
            f"{name} must be boolean, of shape {shape}; got {masks.dtype} of shape {masks.shape}"
        )
    return masks


def _as_charges(thresholds: np.ndarray, dtype: Any) -> np.ndarray:
    """Thresholds that the same charges reach, in a type that compares fast with theirs."""
    if dtype == np.int16:
        whole = np.nan_to_num(np.ceil(thresholds), nan=np.inf)
        return np.clip(whole, -(2**31), 2**31 - 1).astype(np.int32)
    with np.errstate(over="ignore"):
        typed = thresholds.astype(dtype)
    return np.where(typed < thresholds, np.nextafter(typed, dtype.type(np.inf)), typed)


def run(
    kernel: Any,
    transformer: Any,
    X: np.ndarray,
    masks: np.ndarray | None,
    camera: CameraGeometry,
    arguments: list[Any],
    out: np.ndarray,
) -> None:
    """Run a kernel on all events, chunk by chunk, in the transformer's threads."""
    cleaning, n_pixels = transformer.cleaning, camera.n_pixels
    way = WAYS.get(cleaning, MASK) if masks is None and isinstance(cleaning, str) else MASK
    thresholds, *others = arguments
    good = ~np.isnan(thresholds[:1])

    n_rows = max(1, CHUNK_VALUES // X.shape[1])
    n_tasks = min(MAX_TASKS, -(-len(X) // n_rows))
    if X.dtype in DTYPES and X.flags.carray and not callable(cleaning):
        n_rows = len(X)  # nothing to copy: threads meet at the interpreter's lock once a task

    def work(rows: slice) -> None:
        for chunk in gen_batches(rows.stop - rows.start, n_rows):
            part = slice(rows.start + chunk.start, rows.start + chunk.stop)
            images = X[part]
            if images.dtype not in DTYPES:
                images = images.astype(np.float64)
            # Kernels are compiled for arrays that can be written to.
            images = np.require(images, requirements=("C", "W"))
            chosen = good
            if masks is not None:
                chosen = good & masks[part]
            elif callable(cleaning):
                seen = images.view()
                seen.setflags(write=False)  # it may be the user's own X
                times = (seen[:, n_pixels:],) if transformer.timing else ()
                called = cleaning(seen[:, :n_pixels], camera, *times)
                chosen = good & checked_masks(called, len(images), camera, "what cleaning returns")
            kernel(way, images, chosen, _as_charges(thresholds, images.dtype), *others, out[part])

    tasks = list(gen_even_slices(len(X), n_tasks))
    n_threads = min(_n_threads(transformer.n_jobs), n_tasks)
    if n_threads == 1:
        for rows in tasks:
            work(rows)
    else:
        # joblib's own pool of threads takes as long to start and stop as thousands of events.
        with ThreadPoolExecutor(n_threads) as pool:
            list(pool.map(work, tasks))


def _n_threads(n_jobs: int | None) -> int:
    """Number of threads, by joblib's rules."""
    if n_jobs is None:
        return effective_n_jobs(None)
    with parallel_config(backend="threading"):
        return effective_n_jobs(n_jobs)
