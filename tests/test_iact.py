"""Loaders of camera images and of the FACT tables: contents, groups and broken files."""

import numpy as np
import pytest
from sklearn.model_selection import GroupKFold

from skflow.datasets import fetch_camera_images, fetch_fact_tables
from skflow.hillas import CameraGeometry

FACT_TRAPS = {"cog_x", "cog_y", "delta", "photoncharge_mean", "arrival_time_mean"}
FACT_TRUTH = {
    "source_position_x",
    "source_position_y",
    "corsika_event_header_total_energy",
    "corsika_run_header_particle_id",
    "aux_pointing_position_zd",
}


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a file into a data folder of its own; returns its path."""
    monkeypatch.setenv("SKFLOW_DATA", str(tmp_path))
    tmp_path.joinpath("iact").mkdir()

    def save(file, arrays):
        path = tmp_path / "iact" / file
        np.savez_compressed(path, **arrays)
        return path

    return save


def image_file(n_events=6, **columns):
    """Arrays of an image file of a small camera."""
    camera = CameraGeometry.hexagonal(2)
    shape = (n_events, camera.n_pixels)
    return {
        "images": np.arange(np.prod(shape), dtype=np.float32).reshape(shape),
        "peak_time_ns": np.full(shape, 20.0, dtype=np.float32),
        "pix_x": camera.pix_x,
        "pix_y": camera.pix_y,
        "pix_area": camera.pix_area,
        "pix_type": camera.shape,
        "neighbor_indptr": camera.neighbor_indptr,
        "neighbor_indices": camera.neighbor_indices,
        "focal_length_m": 28.0,
        "effective_focal_length_m": 29.0,
        "camera": "small",
        **columns,
    }


def cta_file(**columns):
    return image_file(
        event_id=np.array([100, 100, 104, 200, 100, 100]),
        tel_id=np.array([1, 2, 1, 1, 1, 2]),
        source_file=np.array(["a", "a", "a", "a", "b", "b"]),
        **columns,
    )


def fact_tables(n_each=1000):
    columns = ["size", "width", *sorted(FACT_TRAPS), *sorted(FACT_TRUTH)]
    X = np.random.RandomState(0).normal(size=(3 * n_each, len(columns)))
    return {
        "X": X,
        "columns": np.array(columns),
        "sample": np.repeat(["gamma", "gamma_diffuse", "proton"], n_each),
    }


@pytest.mark.parametrize(
    ("name", "n_events", "n_pixels", "n_showers", "column"),
    [
        ("fact", 100, 1440, 100, "trigger"),
        ("fact_gamma", 61, 1440, 61, "zd_deg"),
        ("fact_muon", 100, 1440, 100, "opening_angle_rad"),
        ("lst", 14, 1855, 2, "tel_id"),
        ("lst_prod6", 8, 1855, 3, "true_energy_tev"),
        ("nectarcam", 20, 1855, 3, "true_images"),
    ],
)
def test_camera_images(data_folder, name, n_events, n_pixels, n_showers, column):
    found = fetch_camera_images(name, focal_length="nominal")
    assert found.images.shape == found.peak_time.shape == (n_events, n_pixels)
    assert found.geometry.n_pixels == n_pixels
    assert found.geometry.has_focal_length
    assert found.groups.shape == (n_events,)
    assert len(set(found.groups)) == n_showers
    assert len(found.columns[column]) == n_events
    assert not {"images", "pix_x", "neighbor_indptr", "camera"} & set(found.columns)
    assert found.source.startswith(str(data_folder))
    assert str(n_events) in found.DESCR


def test_a_group_is_a_simulated_shower(data_folder):
    """Telescopes and reuses of one shower share its energy and direction, and no other does."""
    by_group = {}
    for name in ("lst", "lst_prod6", "nectarcam"):
        found = fetch_camera_images(name)
        truth = ("true_energy_tev", "true_alt_rad", "true_az_rad", "particle_id")
        for row, group in enumerate(found.groups):
            key = tuple(found.columns[label][row] for label in truth)
            by_group.setdefault(group, set()).add(key)
    assert all(len(keys) == 1 for keys in by_group.values())
    assert len(set.union(*by_group.values())) == len(by_group) == 5


def test_focal_length(data_folder):
    assert fetch_camera_images("lst").geometry.focal_length == pytest.approx(29.306, abs=1e-3)
    assert fetch_camera_images("lst", focal_length="nominal").geometry.focal_length == 28.0
    assert not fetch_camera_images("fact").geometry.has_focal_length


def test_groups_of_cta(write):
    write("cta_LSTCam_gamma_images.npz", cta_file())
    found = fetch_camera_images("lst")
    first, second, reused, other, _, _ = found.groups
    assert first == second == reused != other
    assert len(set(found.groups)) == 3
    for train, test in GroupKFold(3).split(found.images, groups=found.groups):
        assert not set(found.groups[train]) & set(found.groups[test])
    write("cta_NectarCam_images.npz", cta_file())
    np.testing.assert_array_equal(fetch_camera_images("nectarcam").groups, found.groups)


def test_groups_of_fact(write):
    sim_id = np.array([[0, 1, 0], [0, 1, 1], [0, 2, 0], [1, 1, 0], [1, 1, 0], [1, 2, 0]])
    write("fact_mc_muon_images.npz", image_file(sim_id=sim_id))
    muon = fetch_camera_images("fact_muon").groups
    assert muon[0] == muon[1]
    assert muon[3] == muon[4]
    assert len(set(muon)) == 4
    write("fact_mc_gamma_images.npz", image_file())
    gamma = fetch_camera_images("fact_gamma").groups
    write("fact_images.npz", image_file(event=np.arange(6)))
    real = fetch_camera_images("fact").groups
    assert len({*muon, *gamma, *real}) == 4 + 6 + 6


def test_missing_files(monkeypatch, tmp_path):
    monkeypatch.setenv("SKFLOW_DATA", str(tmp_path))
    message = r"fact_images.npz must be at iact/fact_images.npz under .*SKFLOW_DATA names; got "
    with pytest.raises(FileNotFoundError, match=message + f"SKFLOW_DATA={tmp_path}, which has no"):
        fetch_camera_images("fact")
    monkeypatch.delenv("SKFLOW_DATA")
    with pytest.raises(FileNotFoundError, match=message + "no SKFLOW_DATA"):
        fetch_camera_images("fact")
    with pytest.raises(FileNotFoundError, match=r"fact_hillas_tables.npz must be at iact/"):
        fetch_fact_tables()


def test_bad_options(monkeypatch, write):
    with pytest.raises(ValueError, match=r"name must be one of fact, .*, nectarcam; got 'magic'"):
        fetch_camera_images("magic")
    write("fact_images.npz", image_file(event=np.arange(6)))
    with pytest.raises(ValueError, match="focal_length must be 'effective' or 'nominal'"):
        fetch_camera_images("fact", focal_length="mean")
    with pytest.raises(ValueError, match="gammas must be 'diffuse' or 'point'; got 'gamma'"):
        fetch_fact_tables(gammas="gamma")
    with pytest.raises(ValueError, match="bulk must be 'proton' or 'gamma'; got 'hadron'"):
        fetch_fact_tables(bulk="hadron")


@pytest.mark.parametrize("fetch", [lambda: fetch_camera_images("fact"), fetch_fact_tables])
@pytest.mark.parametrize("damage", ["cut", "empty", "text", "bytes", "array"])
def test_broken_files(write, fetch, damage):
    write("fact_hillas_tables.npz", fact_tables())
    folder = write("fact_images.npz", image_file(event=np.arange(6))).parent
    for path in folder.iterdir():
        whole = path.read_bytes()
        if damage == "array":
            with path.open("wb") as file:
                np.save(file, np.zeros(3))
            continue
        middle = len(whole) // 2
        path.write_bytes(
            {
                "cut": whole[:middle],
                "empty": b"",
                "text": b"no such page",
                "bytes": whole[: middle - 200] + bytes(400) + whole[middle + 200 :],
            }[damage]
        )
    with pytest.raises(ValueError, match=r"fact_\w+.npz must be a whole .npz; it cannot be read"):
        fetch()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": np.zeros(3)}, "not the file it should be: it has no images, peak_time_ns, event"),
        (image_file(), "not the file it should be: it has no event$"),
        (
            {k: v for k, v in image_file(event=np.arange(6)).items() if k != "pix_area"},
            "must be an .npz of a camera; it has no pix_area",
        ),
        (
            image_file(event=np.arange(6), images=np.zeros((6, 20))),
            r"must have images of shape \(6, 19\), events and pixels; got \(6, 20\)",
        ),
        (
            image_file(event=np.arange(6), peak_time_ns=np.zeros((5, 19))),
            r"must have peak_time_ns of shape \(6, 19\).*; got \(5, 19\)",
        ),
        (
            image_file(event=np.arange(6), images=np.float32(1)),
            r"must have images of shape \(n_events, 19\).*; got \(\)",
        ),
        (image_file(event=np.arange(4)), "must have event for each of its 6 images; got 4"),
    ],
)
def test_wrong_image_files(write, arrays, message):
    path = write("fact_images.npz", arrays)
    with pytest.raises(ValueError, match=message) as caught:
        fetch_camera_images("fact")
    assert str(path) in str(caught.value)


def test_fact_tables(data_folder):
    fact = fetch_fact_tables()
    assert fact.data.shape == (2000, 36)
    assert len(fact.feature_names) == 36
    assert not (FACT_TRAPS | FACT_TRUTH) & set(fact.feature_names)
    assert set(fact.columns) == FACT_TRUTH
    is_gamma = fact.columns["corsika_run_header_particle_id"] == 1
    np.testing.assert_array_equal(fact.target, np.where(is_gamma, -1, 1))
    assert np.isfinite(fact.data).all()
    with_traps = fetch_fact_tables(trap_features=True)
    assert set(with_traps.feature_names) - set(fact.feature_names) == FACT_TRAPS
    np.testing.assert_array_equal(
        with_traps.data[:, with_traps.feature_names.index("width")],
        fact.data[:, fact.feature_names.index("width")],
    )
    # Eight protons are there twice, at one zenith angle but in different places.
    assert len(set(fact.groups)) == 1992
    zenith = fact.columns["aux_pointing_position_zd"]
    assert all(np.ptp(zenith[fact.groups == group]) == 0 for group in set(fact.groups))
    assert len(np.unique(fact.data, axis=0)) == 2000


def test_fact_options(data_folder):
    diffuse, y = fetch_fact_tables(return_X_y=True)
    point, reversed_y = fetch_fact_tables(gammas="point", bulk="gamma", return_X_y=True)
    np.testing.assert_array_equal(reversed_y, -y)
    np.testing.assert_array_equal(diffuse[y == 1], point[y == 1])
    assert not np.isin(diffuse[y == -1, 1], point[y == -1, 1]).any()


def test_reused_showers_of_fact_share_a_group(write):
    arrays = fact_tables()
    energy, particle = (
        arrays["columns"].tolist().index(f"corsika_{label}")
        for label in ("event_header_total_energy", "run_header_particle_id")
    )
    arrays["X"][:, particle] = np.where(arrays["sample"] == "proton", 14, 1)
    arrays["X"][2000:2003, energy] = arrays["X"][1000, energy] = 7.0
    write("fact_hillas_tables.npz", arrays)
    groups = fetch_fact_tables().groups
    assert groups[1000] == groups[1001] == groups[1002] != groups[0]
    assert len(set(groups)) == 1998


def without(name):
    arrays = fact_tables()
    kept = arrays["columns"] != name
    return {**arrays, "X": arrays["X"][:, kept], "columns": arrays["columns"][kept]}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"X": np.zeros((5, 5))}, "not the file it should be: it has no columns, sample"),
        (
            {**fact_tables(), "X": np.zeros((3000, 5))},
            r"X must have shape \(3000, 12\).*\(3000, 5\)",
        ),
        (without("cog_x"), "columns hold truth and traps; .* no cog_x"),
        (without("source_position_y"), "columns hold truth and traps; .* no source_position_y"),
        (fact_tables(20), "1000 rows of gamma_diffuse and of proton; got 20 and 20"),
    ],
)
def test_wrong_fact_tables(write, arrays, message):
    path = write("fact_hillas_tables.npz", arrays)
    with pytest.raises(ValueError, match=message) as caught:
        fetch_fact_tables()
    assert str(path) in str(caught.value)
