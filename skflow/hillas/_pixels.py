"""Pixels of a camera: their areas, distances and neighbours, and the file that holds them."""

import zipfile
import zlib
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

#: What a file must hold, and may.
NEEDED = ("pix_x", "pix_y", "pix_area", "pix_type", "neighbor_indptr", "neighbor_indices")
OPTIONAL = ("effective_focal_length_m", "focal_length_m", "pix_rotation_deg", "camera")
SHAPES = ("hexagon", "square", "circle")
#: Nearest pixels asked for, the norm, and how much farther than the nearest a neighbour may be.
#: On a hexagonal grid the second ring begins at 1.73 of the pixel width; squares touch along
#: sides, where the next candidates are diagonal (2 in the L1 norm).
NEIGHBORS = {"hexagon": (6, 2, 1.4), "circle": (6, 2, 1.4), "square": (4, 1, 1.5)}


def area_of_width(width: float, shape: str) -> float:
    """Area of a pixel that is so wide from side to side."""
    return width**2 * {"hexagon": np.sqrt(0.75), "square": 1.0, "circle": np.pi / 4}[shape]


def nearest_distance(x: np.ndarray, y: np.ndarray) -> float:
    """Smallest distance between two pixels."""
    positions = np.column_stack([x, y])
    return float(cKDTree(positions).query(positions, k=2)[0][:, 1].min())


def find_neighbors(x: np.ndarray, y: np.ndarray, shape: str) -> tuple[np.ndarray, np.ndarray]:
    """Neighbours from positions, in CSR form."""
    n_nearest, norm, reach = NEIGHBORS[shape]
    positions = np.column_stack([x, y])
    distance, candidate = cKDTree(positions).query(positions, k=n_nearest + 1, p=norm)
    distance, candidate = distance[:, 1:], candidate[:, 1:]
    near = distance < reach * distance.min(axis=1, keepdims=True)
    pixel, _ = np.nonzero(near)
    neighbor = candidate[near]
    # A pixel at an irregular edge may see a neighbour that does not see it: both count.
    pairs = np.unique(np.r_[np.c_[pixel, neighbor], np.c_[neighbor, pixel]], axis=0)
    indptr = np.searchsorted(pairs[:, 0], np.arange(len(x) + 1))
    return indptr.astype(np.int32), pairs[:, 1].astype(np.int32)


def check_neighbors(neighbors: tuple[Any, Any], x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Neighbours given in CSR form, each pixel's in order."""
    indptr, indices = (np.array(part, dtype=np.int32) for part in neighbors)
    shaped = (
        indptr.shape == (len(x) + 1,)
        and indices.ndim == 1
        and indptr[0] == 0
        and indptr[-1] == len(indices)
        and (np.diff(indptr) >= 0).all()
        and ((indices >= 0) & (indices < len(x))).all()
    )
    if shaped:
        owner = np.repeat(np.arange(len(x)), np.diff(indptr))
        order = np.lexsort((indices, owner))
        transposed = np.lexsort((owner, indices))
        once = len(np.unique(owner * len(x) + indices)) == len(indices)
        symmetric = np.array_equal(indices[order], owner[transposed])
        if symmetric and once and (indices != owner).all():
            return indptr, indices[order]
    raise ValueError(
        "neighbors must be (indptr, indices) of a symmetric CSR matrix, no pixel its own "
        f"neighbour and none named twice, for {len(x)} pixels; got arrays of shapes "
        f"{indptr.shape} and {indices.shape}"
    )


def read_npz(path: Any, kind: str, names: Any = None) -> dict[str, np.ndarray]:
    """Read those of the named arrays (all by default) that an ``.npz`` file has."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files if names is None or name in names}
    except FileNotFoundError:
        raise
    # TypeError: a lone array in place of an archive.
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path} must be {kind}; it cannot be read: {error}") from error


def read_camera(path: Any) -> dict[str, np.ndarray]:
    """Read what an ``.npz`` file says of a camera, which must be all it takes to make one."""
    found = read_npz(path, "an .npz of a camera", NEEDED + OPTIONAL)
    missing = [name for name in NEEDED if name not in found]
    if missing:
        raise ValueError(f"{path} must be an .npz of a camera; it has no {', '.join(missing)}")
    return found
