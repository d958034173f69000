"""The configuration of a benchmark: defaults, patterns and errors that name the key."""

import re
from pathlib import Path

import pytest

from skflow.benchmark._config import Config, Detector, read_config
from skflow.benchmark._runner import grid

DATASETS = ["sklearn/wine", "sklearn/breast_cancer"]
VALID = {"datasets": DATASETS, "detectors": ["MahalanobisDetector"]}


def test_defaults():
    detector = Detector("MahalanobisDetector", "MahalanobisDetector", {})
    assert read_config(VALID) == Config(tuple(DATASETS), (detector,))


def test_file(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(
        """
        datasets = ["sklearn/wine", "sklearn/breast_cancer"]
        exclude = ["*/br*", "sklearn/[!w]*"]
        detectors = [
            "MahalanobisDetector",
            {name = "KNN-10", use = "KNN", params = {n_neighbors = 10}},
            {use = "misbehaving:Norm"},
        ]
        protocols = ["rare-event:200:0.1", "auxiliary:features/SVHN_0:10"]
        seeds = [3, 1]
        max_rows = 1000
        features = "misbehaving:Halves fitted to SKLEARN/wine"
        time_limit_s = 0.5
        memory_limit_mib = 100
        jobs = -1
        output = "here/results.jsonl"
        """
    )
    config = read_config(path)
    assert config.datasets == ("sklearn/wine",)
    assert config.detectors[1:] == (
        Detector("KNN-10", "KNN", {"n_neighbors": 10}),
        Detector("misbehaving:Norm", "misbehaving:Norm", {}),
    )
    assert config[2:] == (
        ("rare-event:200:0.1", "auxiliary:features/SVHN_0:10"),
        (3, 1),
        1000,
        "misbehaving:Halves fitted to sklearn/wine",
        0.5,
        100.0,
        -1,
        Path("here/results.jsonl"),
    )


def test_grid():
    protocols = ["one-class", "contaminated"]
    detectors = ["MahalanobisDetector", "KNN"]
    config = read_config(VALID | {"seeds": 2, "protocols": protocols, "detectors": detectors})
    fits = list(grid(config))
    assert len(fits) == 16
    expected = sorted(
        fits,
        key=lambda fit: (
            fit[0].seed,
            DATASETS.index(fit[0].dataset),
            protocols.index(fit[0].protocol),
            detectors.index(fit[1].name),
        ),
    )
    assert fits == expected
    assert len({(split, detector.name) for split, detector in fits}) == 16


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"datsets": []},
            "keys of the configuration must be among .*; got 'datsets'; did you mean 'datasets'?",
        ),
        ({"datasets": "sklearn/wine"}, "datasets must be a list of strings; got 'sklearn/wine'"),
        ({"datasets": ["nowhere/*"]}, "datasets: .*nowhere"),
        ({"datasets": []}, "datasets must not be empty"),
        ({"exclude": ["sklearn/wein"]}, "exclude must match one of .*; got 'sklearn/wein'"),
        ({"exclude": ["*"]}, "datasets must not be empty; got none that is not excluded"),
        ({"detectors": {}}, "detectors must be a list of names and tables; got {}"),
        ({"detectors": [1]}, "detectors must be names or tables; got 1"),
        ({"detectors": []}, "names of detectors must not be empty"),
        (
            {"detectors": ["Mahalanobis"]},
            '"package.module:Class" or among .*; got '
            "'Mahalanobis'; did you mean 'MahalanobisDetector'?",
        ),
        ({"detectors": ["KNN", "KNN"]}, "names of detectors must differ .*; got 'KNN' twice"),
        ({"detectors": [{"name": "x"}]}, "detectors must be .*; got 'x'"),
        ({"detectors": [{"nam": "x"}]}, "keys of a detector must be .*; did you mean 'name'?"),
        ({"detectors": [{}]}, "name of a detector must be a string; got None"),
        ({"detectors": [{"use": "KNN", "params": 3}]}, "params of KNN must be a table; got 3"),
        ({"detectors": [{"use": "KNN", "params": {"a": {1}}}]}, "params of KNN must be what JSON"),
        ({"protocols": ["one-clas"]}, "protocols must be .*; did you mean 'one-class'?"),
        ({"protocols": ["auxiliary"]}, "protocols must be .*; did you mean 'auxiliary:TABLE'?"),
        ({"protocols": ["auxiliary:magic/hadron-bulk:100"]}, "protocols must be"),
        ({"protocols": ["rare-event"]}, "protocols must be .*; did you mean 'rare-event:M'?"),
        ({"protocols": ["rare-event:5:100"]}, "protocols must be"),
        ({"protocols": []}, "protocols must not be empty"),
        ({"features": "pca"}, 'features must be "package.module:Class fitted to TABLE"; got .pca'),
        ({"features": "PCA fitted to sklearn/wine"}, "features must be"),
        ({"features": "a:B fitted to sklearn/*"}, "must name one table; got sklearn/., which .* 3"),
        ({"features": "a:PCA fitted to sklearn/wein"}, "features: .*; did you mean 'sklearn/wine'"),
        ({"seeds": 0}, "seeds must be an integer of at least 1; got 0"),
        ({"seeds": True}, "seeds must be an integer of at least 1; got True"),
        ({"seeds": [0, -1]}, "each of the seeds must be an integer of at least 0; got -1"),
        ({"seeds": [0, 0]}, "seeds must differ from each other; got 0 twice"),
        ({"max_rows": 0}, "max_rows must be an integer of at least 1; got 0"),
        ({"time_limit_s": 0}, "time_limit_s must be a positive number; got 0"),
        ({"memory_limit_mib": "8 GB"}, "memory_limit_mib must be a positive number; got '8 GB'"),
        ({"memory_limit_mib": float("nan")}, "memory_limit_mib must be a positive number"),
        ({"jobs": 0}, "jobs must be an integer of at least 1; got 0"),
        ({"output": 3}, "output must be the path of a file; got 3"),
    ],
)
def test_errors(change, message):
    with pytest.raises(ValueError, match=message.replace("?", re.escape("?"))):
        read_config(VALID | change)


@pytest.mark.parametrize("key", ["datasets", "detectors"])
def test_required_keys(key):
    with pytest.raises(ValueError, match=f"the configuration must have {key}"):
        read_config({name: value for name, value in VALID.items() if name != key})


def test_not_toml(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text("datasets = [")
    with pytest.raises(ValueError, match=r"config.toml must be TOML: "):
        read_config(path)
