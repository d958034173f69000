"""Results of a benchmark that never ran: seeded figures, a failing detector and nasty names."""

import json

import numpy as np

SCRIPT = "<script>alert(1)</script>"
QUOTES = "&\"'</script><img src=x onerror=alert(2)>|`*"
DETECTORS = ["RealNVPEnsemble", "KNN", "LOF", "IForest", "PCA", "Failing", SCRIPT, QUOTES]
DATASETS = [*(f"adbench/table{i}" for i in range(9)), "magic/a", "magic/b", f"odd/{SCRIPT}"]
PROTOCOLS = ["one-class", "rare-event:10", "rare-event:50"]
ENVIRONMENT = {
    "kind": "environment",
    "id": "0f1e2d",
    "python": "3.12.1",
    "platform": "Linux",
    "cpu": "Some CPU <b>",
    "n_cpus": 4,
    "memory_gib": 16.0,
    "packages": {"torch": "2.13.0", "numpy": "2.4.6"},
    "skflow": "0.3.0",
}


def make_lines(detectors=DETECTORS, datasets=DATASETS, protocols=PROTOCOLS, n_seeds=3):
    """Lines of a results file; "Failing" fails on every third data set, and once elsewhere."""
    rng = np.random.RandomState(0)
    skill = {name: 2.0 - 0.12 * j for j, name in enumerate(detectors)}
    speed = {name: 10 ** rng.uniform(-2, 2) for name in detectors}
    lines = [ENVIRONMENT]
    for i, dataset in enumerate(datasets):
        ease, n_test, n_features = rng.normal(0.0, 0.9), rng.randint(200, 5000), rng.randint(3, 90)
        liking = {name: rng.normal(0.0, 0.25) for name in detectors}
        for protocol in protocols:
            labels = int(protocol.partition(":")[2] or 0)
            for seed in range(n_seeds):
                for name in detectors:
                    gain = 0.25 * np.log1p(labels) if name.startswith("RealNVP") else 0.0
                    logit = skill[name] + ease + liking[name] + gain + rng.normal(0.0, 0.1)
                    auroc = 1 / (1 + np.exp(-logit))
                    failed = name == "Failing" and (i % 3 == 0 or (i, seed) == (1, 0))
                    lines.append(
                        {
                            "kind": "fit",
                            "environment": ENVIRONMENT["id"],
                            "dataset": dataset,
                            "protocol": protocol,
                            "seed": seed,
                            "detector": name,
                            "params": {},
                            "n_train": int(n_test) // 2,
                            "n_test": int(n_test),
                            "n_features": int(n_features),
                            "n_anomalies": int(n_test) // 20,
                            "repeated": 0.02,
                            "twins": 0.0,
                            "auroc": None if failed else float(auroc),
                            "average_precision": None if failed else float(auroc**3),
                            "tpr_at_1pct_fpr": None if failed else float(auroc**6),
                            "ap_1_to_1": None if failed else float(auroc**2),
                            "ap_1_to_100": None if failed else float(auroc**8),
                            "fit_seconds": None if failed else float(speed[name] * n_test / 2000),
                            "score_seconds": None if failed else 0.01,
                            "peak_memory_mib": None if failed else 300.0,
                            "error": "TimeLimit: over 600 s" if failed else None,
                        }
                    )
    return lines


def write_results(path, lines):
    """The JSON Lines file of these lines."""
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path
