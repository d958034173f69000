"""Arrays of a loaded model that compiled code would index blindly: checked, or made anew."""

from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.neighbors import KDTree

from .._sklearn import Tree
from ..hillas import CameraGeometry


def checked(model: Any) -> Any:
    """A loaded model after a look at all that compiled code takes from it.

    Parameters
    ----------
    model : object
        What skops made of a file. Search trees and cameras in it are replaced.

    Returns
    -------
    model : object
        The model.

    Raises
    ------
    ValueError
        If a decision tree, a sparse matrix or a camera points to something that is not there, or
        to columns that its estimator does not have.
    """
    return _Visit().visit(model)


class _Visit:
    """A walk through containers and attributes, each object once."""

    def __init__(self) -> None:
        self.seen: dict[int, Any] = {}
        self.kept: list[Any] = []  # so that no id is given twice

    def visit(self, value: Any) -> Any:
        """The value itself, or what takes its place."""
        if id(value) not in self.seen:
            self.kept.append(value)
            self.seen[id(value)] = value
            self.seen[id(value)] = self._look_at(value)
        return self.seen[id(value)]

    def _look_at(self, value: Any) -> Any:
        if isinstance(value, KDTree):
            return _rebuilt(value)
        if isinstance(value, CameraGeometry):
            return _same_camera(value)
        if isinstance(value, Tree):
            _check_tree(value)
        elif issparse(value):
            value.check_format(full_check=True)
        elif isinstance(value, dict):
            for key in value:
                value[key] = self.visit(value[key])
        elif isinstance(value, list):
            value[:] = [self.visit(item) for item in value]
        elif isinstance(value, tuple | set | frozenset):
            for item in value:
                if self.visit(item) is not item:
                    raise ValueError(f"a {type(value).__name__} holds a search tree or a camera")
        elif isinstance(value, np.ndarray):
            if value.dtype.hasobject:
                for index, item in enumerate(value.flat):
                    value.flat[index] = self.visit(item)
        elif hasattr(value, "__dict__") and not isinstance(value, type):
            for name, item in vars(value).items():
                vars(value)[name] = self.visit(item)
            _check_widths(value)
        return value


def _rebuilt(tree: KDTree) -> KDTree:
    """A search tree of the same rows."""
    rows, _, _, _, leaf_size, *_, metric, sample_weight = tree.__getstate__()
    if type(metric).__name__ != "EuclideanDistance64":
        raise ValueError(f"a search tree has the metric {metric!r}")
    return KDTree(rows, leaf_size=leaf_size, metric="euclidean", sample_weight=sample_weight)


def _same_camera(camera: CameraGeometry) -> CameraGeometry:
    return CameraGeometry.from_arrays(
        camera.pix_x,
        camera.pix_y,
        camera.pix_area,
        shape=camera.shape,
        neighbors=(camera.neighbor_indptr, camera.neighbor_indices),
        focal_length=camera.focal_length,
        pix_rotation=camera.pix_rotation,
        name=camera.name,
    )


def _check_tree(tree: Tree) -> None:
    """Every node of a decision tree splits a column there is and leads to later nodes."""
    nodes = tree.__getstate__()["nodes"]
    left, right, feature = nodes["left_child"], nodes["right_child"], nodes["feature"]
    index = np.arange(len(nodes))
    inner = left != -1
    later = (left > index) & (right > index) & (left < len(nodes)) & (right < len(nodes))
    known = (feature >= 0) & (feature < tree.n_features)
    if len(nodes) == 0 or not (later & known)[inner].all():
        raise ValueError("a decision tree has a node that leads nowhere")


def _check_widths(estimator: Any) -> None:
    """Trees and neighbours see no more columns than the rows have that reach them."""
    parts = vars(estimator)
    width = parts.get("n_features_in_", 0)
    members = parts.get("estimators_", [])
    trees = [part for part in [parts.get("tree_")] if isinstance(part, Tree)]
    if isinstance(members, list | np.ndarray):
        trees += [one.tree_ for one in np.ravel(members) if "tree_" in vars(one)]
    given = [len(columns) for columns in parts.get("estimators_features_", [])] or [width]
    rows = parts.get("_fit_X")
    if any(tree.n_features > min(width, *given) for tree in trees) or (
        rows is not None and rows.shape[1] != width
    ):
        raise ValueError(f"{type(estimator).__name__} has parts of other columns than its own")
