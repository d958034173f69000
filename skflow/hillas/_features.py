"""Names, groups and presets of the features, and the column of the kernels' rows behind each."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

_HILLAS = (
    "intensity skewness kurtosis x y r phi length length_uncertainty width width_uncertainty "
    "psi psi_uncertainty transverse_cog_uncertainty"
)
_STATISTICS = "max min mean std skewness kurtosis"
#: Groups in the order of the kernels' rows (see `_moments`); names in the camera frame.
GROUPS: dict[str, tuple[str, ...]] = {
    "hillas": tuple(f"camera_frame_hillas_{name}" for name in _HILLAS.split()),
    "concentration": tuple(f"concentration_{name}" for name in ("cog", "core", "pixel", "conc2")),
    "leakage": tuple(
        f"leakage_{what}_width_{width}" for what in ("pixels", "intensity") for width in (1, 2)
    ),
    "morphology": (
        "morphology_n_pixels",
        "morphology_n_islands",
        "morphology_n_small_islands",
        "morphology_n_medium_islands",
        "morphology_n_large_islands",
    ),
    "intensity": tuple(f"intensity_{name}" for name in _STATISTICS.split()),
    "timing": (
        "camera_frame_timing_intercept",
        "camera_frame_timing_deviation",
        "camera_frame_timing_slope",
        *(f"peak_time_{name}" for name in _STATISTICS.split()),
    ),
    "source": tuple(
        f"source_{name}"
        for name in ("alpha", "dist", "miss", "azwidth", "asym", "m3_long", "m3_trans")
    ),
}
NAMES = tuple(name for group in GROUPS.values() for name in group)
#: What ctapipe does not have.
EXTRAS = ("concentration_conc2", *GROUPS["source"])
#: The names, signs and units (mm, degrees, log10 of the charge) of the UCI MAGIC table.
MAGIC = {
    "fLength": ("camera_frame_hillas_length", 1000.0),
    "fWidth": ("camera_frame_hillas_width", 1000.0),
    "fSize": ("camera_frame_hillas_intensity", None),
    "fConc": ("concentration_conc2", 1.0),
    "fConc1": ("concentration_pixel", 1.0),
    "fAsym": ("source_asym", 1000.0),
    "fM3Long": ("source_m3_long", 1000.0),
    "fM3Trans": ("source_m3_trans", 1000.0),
    "fAlpha": ("source_alpha", 1.0),
    "fDist": ("source_dist", 1000.0),
}
PRESETS: dict[str, tuple[str, ...]] = {
    # What tells gammas from hadrons by shape, wherever in the camera they are.
    "default": (
        "camera_frame_hillas_intensity",
        "camera_frame_hillas_length",
        "camera_frame_hillas_width",
        "camera_frame_hillas_skewness",
        "camera_frame_hillas_kurtosis",
        "concentration_cog",
        "concentration_core",
        "concentration_pixel",
        "leakage_intensity_width_2",
        "morphology_n_islands",
    ),
    "ctapipe": tuple(name for name in NAMES if name not in EXTRAS),
    "magic": tuple(MAGIC),
    "taiga": (
        "camera_frame_hillas_intensity",
        "camera_frame_hillas_width",
        "camera_frame_hillas_length",
        "source_dist",
        "source_azwidth",
        "source_miss",
        "source_alpha",
        "concentration_conc2",
    ),
    "all": NAMES,
}


class Selection(NamedTuple):
    """Chosen features: their names, kernel columns, and factors (None for the log10)."""

    names: tuple[str, ...]
    columns: tuple[int, ...]
    factors: tuple[float | None, ...]

    def uses(self, group: str) -> bool:
        """Whether any chosen feature is of a group."""
        return any(NAMES[column] in GROUPS[group] for column in self.columns)

    def in_units(self, values: np.ndarray) -> np.ndarray:
        """Bring measured values into the units of the names, in place."""
        for column, factor in enumerate(self.factors):
            if factor is None:
                np.log10(values[:, column], out=values[:, column])
            elif factor != 1:
                values[:, column] *= factor
        return values


def in_frame(name: str, frame: str) -> str:
    """Name of a feature in a frame, as ctapipe has it."""
    if frame == "camera":
        return name
    name = name.removeprefix("camera_frame_")
    return {"hillas_x": "hillas_fov_lon", "hillas_y": "hillas_fov_lat"}.get(name, name)


def select_features(features: Any, frame: str, timing: bool) -> Selection:
    """Choose features by a preset, by groups or by names."""
    asked = [features] if isinstance(features, str) else list(features)
    known: dict[str, tuple[int, float | None]] = {
        in_frame(name, frame): (column, 1.0) for column, name in enumerate(NAMES)
    }
    if frame == "camera":
        known |= {name: (NAMES.index(of), factor) for name, (of, factor) in MAGIC.items()}
    names: list[str] = []
    for item in asked:
        if not isinstance(item, str):
            raise ValueError(f"features must be strings; got {item!r}")
        group = GROUPS.get(item) or PRESETS.get(item)
        if group is None:
            chosen: Iterable[str] = [item]
        elif item == "magic" and frame != "camera":
            raise ValueError("features='magic' are in mm: frame must be 'camera'; got 'telescope'")
        else:
            has_times = timing or item == "timing"
            chosen = [
                in_frame(name, frame) for name in group if has_times or name not in GROUPS["timing"]
            ]
        names += [name for name in chosen if name not in names]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise ValueError(
            f"features must be a preset ({', '.join(PRESETS)}), groups ({', '.join(GROUPS)}) or "
            f"names of features in the {frame} frame; got {unknown or features!r}"
        )
    columns, factors = zip(*(known[name] for name in names), strict=True)
    selection = Selection(tuple(names), columns, factors)
    if selection.uses("timing") and not timing:
        late = [name for name in names if NAMES[known[name][0]] in GROUPS["timing"]]
        raise ValueError(
            f"features {', '.join(late)} need arrival times: timing must be True and X hold them "
            "behind the charges; got timing=False"
        )
    return selection
