"""The configuration of a benchmark: read, checked and spelled out."""

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from .._hints import got_name
from ._detectors import detector_names
from ._features import check_features
from ._tables import table_names

PROTOCOLS = (
    "one-class",
    "contaminated",
    "rare-event:M",
    "auxiliary:TABLE",
    "published",
    "published-contaminated",
)
_COUNT, _PERCENT = r"(0|[1-9]\d*)", r"(0|[1-9]\d?)"
_PROTOCOL = re.compile(
    "|".join(PROTOCOLS)
    .replace("M", rf"{_COUNT}(:{_PERCENT}(\.\d+)?)?")
    .replace("TABLE", rf"[^:]+(:{_PERCENT})?")
)


class Detector(NamedTuple):
    """A name in the results, what it stands for (registry name or import path), parameters."""

    name: str
    use: str
    params: dict[str, Any]


class Config(NamedTuple):
    """A configuration with every pattern and default spelled out."""

    datasets: tuple[str, ...]
    detectors: tuple[Detector, ...]
    protocols: tuple[str, ...] = ("one-class",)
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    max_rows: int | None = None
    features: str | None = None
    time_limit_s: float = 600.0
    memory_limit_mib: float = 8000.0
    jobs: int = 1
    output: Path = Path("results.jsonl")


def read_config(config: Mapping[str, Any] | str | Path) -> Config:
    """Read a TOML file, or take a mapping of the same keys, and check it.

    Parameters
    ----------
    config : mapping or path
        See `run_benchmark`.

    Returns
    -------
    config : Config
        All patterns and defaults spelled out.

    Raises
    ------
    ValueError
        If a key or a value is not what it must be; the message names the key.
    """
    if isinstance(config, Mapping):
        raw = dict(config)
    else:
        try:
            raw = tomllib.loads(Path(config).read_text(encoding="utf-8"))
        except tomllib.TOMLDecodeError as error:
            raise ValueError(f"{config} must be TOML: {error}") from error
    check_keys(raw, [*Config._fields, "exclude"], "the configuration")
    for key in ("datasets", "detectors"):
        if key not in raw:
            raise ValueError(f"the configuration must have {key}")
    values: dict[str, Any] = {
        "datasets": _datasets(raw.pop("datasets"), raw.pop("exclude", [])),
        "detectors": _detectors(raw.pop("detectors")),
    }
    values |= {key: CHECKS[key](value, key) for key, value in raw.items()}
    return Config(**values)


def check_keys(given: Iterable[str], known: Sequence[str], where: str) -> None:
    """Refuse a key that is not known, with the nearest one that is."""
    for key in given:
        if key not in known:
            raise ValueError(f"keys of {where} must be {_known(key, known)}")


def _known(given: Any, known: Sequence[str]) -> str:
    """The end of a message: the known ones, what was got and the nearest one."""
    return f"among {', '.join(sorted(known))}; {got_name(given, known)}"


def _strings(value: Any, key: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"{key} must be a list of strings; got {value!r}")
    return tuple(value)


def _unique(values: Sequence[Any], key: str) -> None:
    if not values:
        raise ValueError(f"{key} must not be empty")
    for i, value in enumerate(values):
        if value in values[:i]:
            raise ValueError(f"{key} must differ from each other; got {value!r} twice")


def _datasets(include: Any, exclude: Any) -> tuple[str, ...]:
    try:
        names = [n for pattern in _strings(include, "datasets") for n in table_names(pattern)]
    except ValueError as error:
        raise ValueError(f"datasets: {error}") from error
    excluded: set[str] = set()
    for pattern in _strings(exclude, "exclude"):
        matched = {name for name in names if fnmatchcase(name.lower(), pattern.lower())}
        if not matched:
            raise ValueError(f"exclude must match one of the datasets; got {pattern!r}")
        excluded |= matched
    kept = [name for name in dict.fromkeys(names) if name not in excluded]
    if not kept:
        raise ValueError("datasets must not be empty; got none that is not excluded")
    return tuple(kept)


def _detectors(value: Any) -> tuple[Detector, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"detectors must be a list of names and tables; got {value!r}")
    detectors = tuple(_detector(item) for item in value)
    _unique([detector.name for detector in detectors], "names of detectors")
    return detectors


def _detector(item: Any) -> Detector:
    if isinstance(item, str):
        item = {"name": item}
    if not isinstance(item, Mapping):
        raise ValueError(f"detectors must be names or tables; got {item!r}")
    check_keys(item, Detector._fields, "a detector")
    use = item.get("use", item.get("name"))
    name = item.get("name", use)
    for key, text in (("name", name), ("use", use)):
        if not isinstance(text, str) or not text:
            raise ValueError(f"{key} of a detector must be a string; got {text!r}")
    if ":" not in use and use not in detector_names():
        raise ValueError(
            f'detectors must be "package.module:Class" or {_known(use, detector_names())}'
        )
    params = item.get("params", {})
    if not isinstance(params, Mapping):
        raise ValueError(f"params of {name} must be a table; got {params!r}")
    try:
        params = json.loads(json.dumps(params, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ValueError(f"params of {name} must be what JSON can hold: {error}") from error
    return Detector(name, use, params)


def _protocols(value: Any, key: str) -> tuple[str, ...]:
    protocols = _strings(value, key)
    for protocol in protocols:
        if not _PROTOCOL.fullmatch(protocol):
            raise ValueError(f"protocols must be {_known(protocol, PROTOCOLS)}")
    _unique(protocols, key)
    return protocols


def _integer(value: Any, key: str, least: int = 1) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{key} must be an integer of at least {least}; got {value!r}")
    return value


def _seeds(value: Any, key: str) -> tuple[int, ...]:
    if isinstance(value, list | tuple):
        seeds = tuple(_integer(seed, "each of the seeds", least=0) for seed in value)
        _unique(seeds, key)
        return seeds
    return tuple(range(_integer(value, key)))


def _limit(value: Any, key: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < 1e12:
        raise ValueError(f"{key} must be a positive number; got {value!r}")
    return float(value)


def check_jobs(value: Any, key: str) -> int:
    """A number of processes; -1 is one for each processor."""
    return value if value == -1 else _integer(value, key)


def _output(value: Any, key: str) -> Path:
    if not isinstance(value, str | Path) or not str(value):
        raise ValueError(f"{key} must be the path of a file; got {value!r}")
    return Path(value)


CHECKS: dict[str, Callable[[Any, str], Any]] = {
    "protocols": _protocols,
    "seeds": _seeds,
    "max_rows": _integer,
    "features": check_features,
    "time_limit_s": _limit,
    "memory_limit_mib": _limit,
    "jobs": check_jobs,
    "output": _output,
}
