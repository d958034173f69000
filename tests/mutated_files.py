"""Fuzzing of model files: `python mutated_files.py FOLDER N SEED` reads N mutated ones.

Prints how many were refused and how many were read, as JSON; dies of the first that does anything
else than raise ValueError or give a model. Runs in a process of its own, since a file may kill it.
"""

import hashlib
import io
import json
import random
import signal
import sys
import warnings
from collections import Counter
from copy import deepcopy
from pathlib import Path
from zipfile import ZipFile

import numpy as np
from sklearn.ensemble import IsolationForest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skflow
from skflow.calibration import ConformalDetector
from skflow.hillas import CameraGeometry
from skflow.io import _model_file

#: What a hostile file would like to call. The last one would leave a trace if it were imported.
HOSTILE = [
    ("os", "system"),
    ("builtins", "eval"),
    ("subprocess", "Popen"),
    ("skflow.benchmark.__main__", "main"),
    ("sklearn.svm._classes", "OneClassSVM"),
    ("numpy", "load"),
    ("hostile_module", "run"),
]
LOADERS = [
    "ObjectNode",
    "FunctionNode",
    "MethodNode",
    "PartialNode",
    "TypeNode",
    "ListNode",
    "DictNode",
    "TreeNode",
    "NdArrayNode",
    "ConstructorFromReduceNode",
    "JsonNode",
    "CachedNode",
    "RandomStateNode",
]
#: Events of Python's audit hooks that reading a file must not raise.
FORBIDDEN = {"os.system", "os.exec", "subprocess.Popen", "socket.connect", "pickle.find_class"}
NUMBERS = [-1, 0, 1, 2**31, 2**63, -(2**63), 1e308, float("nan"), None, "x", [], {}, True]


def models():
    """Fitted models, and rows to score; between them they hold all that compiled code reads."""
    rng = np.random.RandomState(0)
    X = rng.normal(size=(80, 4))
    images = rng.poisson(3.0, size=(40, 19)).astype(float)
    hillas = skflow.HillasTransformer(CameraGeometry.hexagonal(2), cleaning=None)
    flow = skflow.RealNVPOutlierDetector(max_iter=5, n_blocks=2, hidden_features=8, random_state=0)
    yield make_pipeline(StandardScaler(), flow).fit(X), X
    yield skflow.FlowNeighborsDetector(flow, random_state=0).fit(X), X
    yield ConformalDetector(IsolationForest(n_estimators=3, random_state=0)).fit(X), X
    yield make_pipeline(hillas, skflow.MahalanobisDetector(nan_policy="omit")).fit(images), images


def nodes(value):
    """All dictionaries and lists of a schema."""
    if isinstance(value, dict | list):
        yield value
        for child in value.values() if isinstance(value, dict) else value:
            yield from nodes(child)


def mutated_schema(schema, random):
    """A schema with one to three things changed."""
    for _ in range(random.randint(1, 3)):
        node = random.choice(list(nodes(schema)))
        if not node:
            continue
        key = random.choice(list(node) if isinstance(node, dict) else range(len(node)))
        kind = random.randrange(6)
        if kind == 0 and isinstance(node, dict) and "__class__" in node:
            node["__module__"], node["__class__"] = random.choice(HOSTILE)
        elif kind == 1 and isinstance(node, dict) and "__loader__" in node:
            node["__loader__"] = random.choice(LOADERS)
        elif kind == 2:
            node[key] = deepcopy(random.choice(list(nodes(schema))))
        elif kind == 3:
            del node[key]
        elif isinstance(node[key], str) and node[key][:1] in "-0123456789tfn":
            node[key] = json.dumps(random.choice(NUMBERS))
        else:
            node[key] = random.choice(NUMBERS)
    return schema


def mutated_array(data, random):
    """An array file with values changed: in place, or another array altogether."""
    array = np.load(io.BytesIO(data))
    kind = random.randrange(4)
    if kind == 0 or array.dtype.names or array.size == 0:
        return flipped(data, random)
    if kind == 1:
        array = array[: len(array) // 2] if array.ndim else array
    elif kind == 2:
        array = array.astype(random.choice([np.int8, np.float32, np.float64, np.uint64]))
    else:
        array = array.copy()
        value = random.choice([-1, 0, 1, 10**6, 2**31 - 1, 100])
        array.flat[random.randrange(array.size)] = np.array(value).astype(array.dtype)
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def flipped(data, random):
    """Bytes with some changed, cut or doubled."""
    data, kind = bytearray(data), random.randrange(4)
    start = random.randrange(len(data))
    stop = min(len(data), start + random.randint(1, 64))
    if kind == 0:
        data[start] ^= 1 << random.randrange(8)
    elif kind == 1:
        data[start:stop] = random.randbytes(stop - start)
    elif kind == 2:
        del data[start:]
    else:
        data[start:start] = data[start:stop]
    return bytes(data)


def mutated(data, random):
    """A mutated file; most have a digest that fits."""
    kind = random.randrange(10)
    if kind < 2:
        return flipped(data, random)
    header, _, content = data[_model_file.N_FIRST :].partition(b"\n")
    if kind == 2:
        header = flipped(header, random)
    elif kind == 3:
        content = flipped(content, random)
    else:
        content = repacked(content, random, schema=kind < 7)
    rest = header + b"\n" + content
    digest = hashlib.sha256(rest).hexdigest().encode()
    return _model_file.MAGIC + digest + b"\n" + rest


def repacked(content, random, *, schema):
    """The archive with its schema or one of its arrays mutated."""
    with ZipFile(io.BytesIO(content)) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    if schema:
        changed = mutated_schema(json.loads(entries["schema.json"]), random)
        entries["schema.json"] = json.dumps(changed).encode()
    else:
        name = random.choice([name for name in entries if name.endswith(".npy")])
        entries[name] = mutated_array(entries[name], random)
    out = io.BytesIO()
    with ZipFile(out, "w") as archive:
        for name, entry in entries.items():
            archive.writestr(name, entry)
    return out.getvalue()


def main(folder, n_files, seed):
    path = folder / "mutated.skflow"
    originals = []
    for model, X in models():
        skflow.save(model, path)
        originals.append((path.read_bytes(), X))
        skflow.load(path)

    def forbid(event, arguments):
        if event in FORBIDDEN:
            raise SystemExit(f"a model file led to {event}{arguments}")

    sys.addaudithook(forbid)
    sys.path.insert(0, str(folder))  # where hostile_module lies
    counts = Counter()
    alarm = getattr(signal, "alarm", lambda seconds: None)  # which Windows lacks
    generator = random.Random(seed)
    for _ in range(n_files):
        data, X = generator.choice(originals)
        path.write_bytes(mutated(data, generator))
        alarm(60)  # a hang is a failure
        try:
            model = skflow.load(path)
        except ValueError as error:
            if str(path) not in str(error):
                raise AssertionError(f"no name of the file in: {error}") from error
            counts["refused"] += 1
            continue
        counts["read"] += 1
        try:
            model.predict(X)
            counts["predicted"] += 1
        except Exception as error:  # of any type, as long as it is one
            counts[type(error).__name__] += 1
    alarm(0)
    print(json.dumps(counts))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
