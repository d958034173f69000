"""The FACT tables: Hillas parameters of simulated gammas and protons."""

from typing import Any

import numpy as np
from sklearn.utils import Bunch

from ._iact import read_data_file

FILE = "fact_hillas_tables.npz"
SAMPLES = {"diffuse": "gamma_diffuse", "point": "gamma"}
N_ROWS = 1000  # of each sample
PARTICLE, ENERGY = "corsika_run_header_particle_id", "corsika_event_header_total_energy"
#: Known from the simulation or the telescope's pointing, not from the image.
TRUTH = (
    "source_position_x",
    "source_position_y",
    ENERGY,
    PARTICLE,
    "aux_pointing_position_zd",
)
#: By which the samples were made to differ: where they lie, and the state of the camera.
TRAPS = ("cog_x", "cog_y", "delta", "photoncharge_mean", "arrival_time_mean")


def fetch_fact_tables(
    *,
    gammas: str = "diffuse",
    bulk: str = "proton",
    trap_features: bool = False,
    return_X_y: bool = False,
) -> Any:
    """Fetch Hillas parameters of simulated FACT showers: 1,000 gammas and 1,000 protons.

    Read from ``iact/fact_hillas_tables.npz`` under the folder named by the environment variable
    ``SKFLOW_DATA``. There is no download.

    Parameters
    ----------
    gammas : {"diffuse", "point"}, default="diffuse"
        Gammas from all over the field of view, as the protons are, or from a point source,
        which position alone tells from protons.
    bulk : {"proton", "gamma"}, default="proton"
        Which particle is the bulk (+1); the other one is rare (-1).
    trap_features : bool, default=False
        Keep cog_x, cog_y, delta, photoncharge_mean and arrival_time_mean. They tell how the
        samples were simulated, not what the shower was: keep them to see what that is worth.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of the Bunch.

    Returns
    -------
    fact : sklearn.utils.Bunch
        ``data`` (2000, 36 or 41) float64, gammas first, in mm, ns and photons; ``target`` of +1
        and -1; ``feature_names``, FACT's own; ``groups`` (2000,), a number for each simulated
        shower: rows of equal particle and energy share it (8 protons are there twice, at other
        places); ``columns``, a dictionary of the truth and the pointing, which are never among
        the features; ``source``; ``DESCR``.

    Raises
    ------
    OSError
        If the file is not there.
    ValueError
        If `gammas` or `bulk` is none of its values, or the file is cut short or is not the one.

    Examples
    --------
    >>> from sklearn.model_selection import GroupKFold
    >>> from skflow.datasets import fetch_fact_tables
    >>> fact = fetch_fact_tables()  # doctest: +SKIP
    >>> fact.data.shape  # doctest: +SKIP
    (2000, 36)
    >>> folds = GroupKFold().split(fact.data, groups=fact.groups)  # doctest: +SKIP
    """
    if gammas not in SAMPLES:
        raise ValueError(f"gammas must be 'diffuse' or 'point'; got {gammas!r}")
    if bulk not in ("proton", "gamma"):
        raise ValueError(f"bulk must be 'proton' or 'gamma'; got {bulk!r}")
    path, found = read_data_file(FILE, ("X", "columns", "sample"))
    X, sample = found["X"], found["sample"]
    names = [str(name) for name in found["columns"]]
    missing = [name for name in (*TRUTH, *TRAPS) if name not in names]
    if missing or X.shape != (len(sample), len(names)):
        raise ValueError(
            f"{path} is not the FACT tables: X must have shape {(len(sample), len(names))}, by its "
            f"samples and columns, and columns hold truth and traps; got shape {X.shape} and "
            f"no {', '.join(missing) or 'missing column'}"
        )
    is_gamma, is_proton = sample == SAMPLES[gammas], sample == "proton"
    if (is_gamma.sum(), is_proton.sum()) != (N_ROWS, N_ROWS):
        raise ValueError(
            f"{path} is not the FACT tables: it must have {N_ROWS} rows of {SAMPLES[gammas]} "
            f"and of proton; got {is_gamma.sum()} and {is_proton.sum()}"
        )
    X = np.vstack([X[is_gamma], X[is_proton]])
    target = np.repeat([1, -1] if bulk == "gamma" else [-1, 1], N_ROWS)
    dropped = TRUTH if trap_features else TRUTH + TRAPS
    kept = [index for index, name in enumerate(names) if name not in dropped]
    data = X[:, kept]
    if return_X_y:
        return data, target
    columns = {name: X[:, names.index(name)] for name in TRUTH}
    shower = np.column_stack([columns[PARTICLE], columns[ENERGY]])
    return Bunch(
        data=data,
        target=target,
        feature_names=[names[index] for index in kept],
        groups=np.unique(shower, axis=0, return_inverse=True)[1].ravel(),
        columns=columns,
        source=str(path),
        DESCR=DESCR,
    )


DESCR = """FACT Hillas tables

Showers simulated for the First G-APD Cherenkov Telescope and cleaned by its own software: 1,000
gammas of a point source, 1,000 diffuse gammas and 1,000 protons, each with 41 parameters of its
image and 5 of truth and pointing. fact-project/aict-tools, MIT. Point gammas differ from protons
by position and camera-wide statistics; time_gradient_slope_long repeats slope_long.
"""
