"""Speed and memory of HillasTransformer beside ctapipe's loop over events.

    python benchmarks/hillas.py [--repeats 5] [--output hillas-output]

Both clean the same images by tail cuts and give the Hillas, concentration, leakage and morphology
parameters, which are compared before anything is timed. ctapipe runs event by event, as its users
run it, in one thread; skflow on the whole array, in one thread and in two. They take turns; the
median over turns counts. Images come from skflow's simulator, half gammas and half hadrons, and
from the real and simulated events of the folder that SKFLOW_DATA names. Writes results.csv and
results.md.
"""

import argparse
import os
import platform
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
import pandas as pd
from ctapipe.image import (
    concentration_parameters,
    hillas_parameters,
    leakage_parameters,
    morphology_parameters,
    tailcuts_clean,
)
from ctapipe.instrument import CameraGeometry as TheirGeometry
from flows import cpu_model
from scipy.sparse import csr_array
from threadpoolctl import threadpool_limits

from skflow.datasets import fetch_camera_images, make_shower_images
from skflow.hillas import CameraGeometry, HillasTransformer

GROUPS = ["hillas", "concentration", "leakage", "morphology"]
#: Events that ctapipe gets in a turn, and skflow.
N_CTAPIPE, N_SKFLOW = 500, 200_000
#: Sizes of the simulated cameras: MAGIC's, FACT's, the LST's.
SIMULATED = {"MAGIC": 1039, "FACT": 1440, "LST": 1855}
REAL = {"FACT, real": ("fact", 6, 3), "LST, simulated by others": ("lst", 8, 4)}
N_MEMORY = 1_000_000


def disk(n_pixels: int) -> CameraGeometry:
    """The hexagonal pixels nearest to the centre."""
    grid = CameraGeometry.hexagonal(30, pixel_width=0.03)
    inner = np.argsort(np.hypot(grid.pix_x, grid.pix_y), kind="stable")[:n_pixels]
    return CameraGeometry.from_arrays(grid.pix_x[inner], grid.pix_y[inner])


def image_sets() -> Iterator[tuple[str, CameraGeometry, np.ndarray, float, float]]:
    """Name, camera, images, picture and boundary threshold."""
    kinds = np.repeat(["gamma", "hadron"], N_CTAPIPE // 2)
    for name, n_pixels in SIMULATED.items():
        camera = disk(n_pixels)
        images = make_shower_images(N_CTAPIPE, camera, kind=kinds, random_state=0)
        yield f"{name}'s size", camera, images, 8.0, 4.0
    for name, (key, picture, boundary) in REAL.items():
        try:
            events = fetch_camera_images(key)
        except OSError:
            continue
        yield name, events.geometry, events.images, picture, boundary


def to_ctapipe(camera: CameraGeometry) -> TheirGeometry:
    """The same camera as ctapipe has it."""
    n = camera.n_pixels
    ones = np.ones(len(camera.neighbor_indices), dtype=bool)
    return TheirGeometry(
        name=camera.name,
        pix_id=np.arange(n),
        pix_x=camera.pix_x * u.m,
        pix_y=camera.pix_y * u.m,
        pix_area=camera.pix_area * u.m**2,
        pix_type=camera.shape,
        neighbors=csr_array((ones, camera.neighbor_indices, camera.neighbor_indptr), shape=(n, n)),
    )


def run_ctapipe(
    camera: TheirGeometry, images: np.ndarray, picture: float, boundary: float
) -> list[tuple[Any, ...] | None]:
    """Every event's parameters, one event after the other."""
    found: list[tuple[Any, ...] | None] = []
    for image in images:
        mask = tailcuts_clean(camera, image, picture, boundary, min_number_picture_neighbors=2)
        kept = image[mask]
        if len(kept) < 2 or kept.sum() <= 0:
            found.append(None)
            continue
        part = camera[mask]
        hillas = hillas_parameters(part, kept)
        found.append(
            (
                hillas,
                concentration_parameters(part, kept, hillas),
                leakage_parameters(camera, image, mask),
                morphology_parameters(camera, mask),
            )
        )
    return found


def check(ours: pd.DataFrame, theirs: list[tuple[Any, ...] | None]) -> None:
    """Compare what both found."""
    found = pd.DataFrame(
        [
            {}
            if event is None
            else {
                "camera_frame_hillas_length": event[0].length.to_value(u.m),
                "camera_frame_hillas_width": event[0].width.to_value(u.m),
                "concentration_core": event[1].core,
                "leakage_intensity_width_2": event[2].intensity_width_2,
                "morphology_n_pixels": event[3].n_pixels,
                "morphology_n_islands": event[3].n_islands,
            }
            for event in theirs
        ]
    )
    np.testing.assert_allclose(ours[found.columns], found, rtol=1e-8, atol=1e-9)


def seconds_of(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def measure_speed(repeats: int) -> list[dict[str, Any]]:
    """Events per second on every set of images."""
    rows = []
    for name, camera, images, picture, boundary in image_sets():
        few = np.resize(images, (N_CTAPIPE, camera.n_pixels))
        many = np.resize(images, (N_SKFLOW, camera.n_pixels))
        theirs = to_ctapipe(camera)
        hillas = HillasTransformer(
            camera, picture_threshold=picture, boundary_threshold=boundary, features=GROUPS
        )
        start = time.perf_counter()
        table = hillas.set_output(transform="pandas").transform(few)
        warm_up = time.perf_counter() - start
        # In single precision ctapipe sums charges in single precision.
        check(table, run_ctapipe(theirs, few.astype(np.float64), picture, boundary))
        hillas.set_output(transform="default")
        two = HillasTransformer(**{**hillas.get_params(), "n_jobs": 2})
        seconds: dict[str, list[float]] = {"ctapipe": [], "skflow": [], "skflow, 2 threads": []}
        for _ in range(repeats):
            seconds["ctapipe"].append(
                seconds_of(lambda c=theirs, p=picture, b=boundary, x=few: run_ctapipe(c, x, p, b))
            )
            seconds["skflow"].append(seconds_of(lambda t=hillas, x=many: t.transform(x)))
            seconds["skflow, 2 threads"].append(seconds_of(lambda t=two, x=many: t.transform(x)))
        median = {key: float(np.median(values)) for key, values in seconds.items()}
        rates = {
            key: (N_CTAPIPE if key == "ctapipe" else N_SKFLOW) / value
            for key, value in median.items()
        }
        kept = table["morphology_n_pixels"]
        rows.append(
            {"images": name, "pixels": camera.n_pixels, "dtype": str(images.dtype)}
            | {"thresholds": f"{picture:g} / {boundary:g}", "surviving": kept.notna().mean()}
            | {"pixels kept": kept.mean(), "first call s": warm_up}
            | {f"{key}, events/s": rate for key, rate in rates.items()}
            | {"x ctapipe": rates["skflow"] / rates["ctapipe"]}
            | {"2 threads / 1": rates["skflow, 2 threads"] / rates["skflow"]}
        )
    return rows


def anonymous_mebibytes() -> float:
    """Resident memory of this process that is no file's."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    (line,) = (line for line in status.splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) / 1024


def measure_memory(folder: str) -> dict[str, Any]:
    """Memory beyond input and output for a million memory-mapped events."""
    camera = disk(1039)
    few = make_shower_images(2000, camera, kind="hadron", random_state=0).astype(np.int16)
    path = os.path.join(folder, "images.npy")
    shape = (N_MEMORY, camera.n_pixels)
    written = np.lib.format.open_memmap(path, mode="w+", dtype=np.int16, shape=shape)
    for start in range(0, N_MEMORY, len(few)):
        written[start : start + len(few)] = few
    written.flush()
    del written
    images = np.load(path, mmap_mode="r")
    hillas = HillasTransformer(camera, features=GROUPS, n_jobs=2)
    hillas.transform(images[:1000])
    before, peak, done = anonymous_mebibytes(), [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            peak[0] = max(peak[0], anonymous_mebibytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    out = hillas.transform(images)
    seconds = time.perf_counter() - start
    done.set()
    watcher.join()
    output = out.nbytes / 2**20
    return {
        "events": N_MEMORY,
        "input MiB": images.nbytes / 2**20,
        "output MiB": output,
        "beyond both, MiB": peak[0] - before - output,
        "seconds": seconds,
    }


def in_one_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    """Run with one thread in NumPy's libraries; ours are added by n_jobs."""
    with threadpool_limits(1):
        return function(*arguments)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5, help="turns of each")
    parser.add_argument("--no-memory", action="store_true", help="leave out the million events")
    parser.add_argument("--output", type=Path, default=Path("hillas-output"))
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    speed = pd.DataFrame(in_one_thread(measure_speed, options.repeats))
    speed.to_csv(options.output / "results.csv", index=False, float_format="%.5g")
    formats = ["", "d", "", "", ".2f", ".1f", ".1f", ",.0f", ",.0f", ",.0f", ".0f", ".2f"]
    parts = ["### Events per second", speed.to_markdown(index=False, floatfmt=formats)]
    if not options.no_memory:
        with tempfile.TemporaryDirectory() as folder, get_context("spawn").Pool(1) as pool:
            memory = pd.DataFrame([pool.apply(measure_memory, (folder,))])
        parts += [
            "### A million memory-mapped events of 1039 pixels (int16), two threads",
            memory.to_markdown(index=False, floatfmt=["d", ",.0f", ",.0f", ".0f", ".1f"]),
        ]
    versions = ", ".join(f"{name} {version(name)}" for name in ("ctapipe", "numba", "numpy"))
    parts.append(
        f"Groups: {', '.join(GROUPS)}; two picture neighbours. Medians of {options.repeats} turns "
        f'of {N_CTAPIPE} events (ctapipe, one thread) and {N_SKFLOW} (skflow). "first call" '
        "includes compiling where no earlier run on this machine did. "
        f"{cpu_model()}; Python {platform.python_version()}, {versions}.\n"
    )
    text = "\n\n".join(parts)
    (options.output / "results.md").write_text(text, encoding="utf-8")
    print(f"{text}\nWritten to {options.output}/")


if __name__ == "__main__":
    main()
