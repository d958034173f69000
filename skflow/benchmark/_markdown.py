"""The report as Markdown."""

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ._summary import METRICS

TEST_TITLES = ["Against", "Difference", "Win / tie / loss", "p", "p (Holm)"]


def to_markdown(summary: Mapping[str, Any]) -> str:
    """Markdown of a summary; names of detectors and data sets are escaped."""
    parts = [f"# {_text(summary['title'])}", "## How to read it", _bullets(summary["rules"])]
    for protocol in summary["protocols"]:
        parts += _protocol(protocol)
    parts += _curves(summary["curves"]["auroc"])
    parts += _environments(summary["environments"])
    return "\n\n".join(parts) + "\n"


def _protocol(protocol: Mapping[str, Any]) -> list[str]:
    parts = [f"## {_text(protocol['name'])}", protocol["explanation"]]
    parts.append(
        f"{_count(len(protocol['detectors']), 'detector')}, "
        f"{_count(len(protocol['datasets']), 'data set')} ({protocol['n_compared']} compared), "
        f"{_count(protocol['n_seeds'], 'seed')}: {_count(protocol['n_fits'], 'fit')}, of which "
        f"{protocol['n_failures']} failed."
    )
    if protocol["comparisons"]:
        parts += _comparison(protocol)
    parts += ["### AUROC on each data set, mean over seeds", _cells(protocol)]
    if protocol["errors"]:
        rows = [[e["detector"], e["error"], e["fits"], e["datasets"]] for e in protocol["errors"]]
        parts += ["### Failures", _table(["Detector", "Error", "Fits", "Data sets"], rows)]
    return [part for part in parts if part]


def _comparison(protocol: Mapping[str, Any]) -> list[str]:
    auroc = protocol["comparisons"]["auroc"]
    by_metric = {
        metric: {row["detector"]: row for row in comparison["rows"]}
        for metric, comparison in protocol["comparisons"].items()
    }
    about = {detector["name"]: detector for detector in protocol["detectors"]}
    names = [row["detector"] for row in auroc["rows"]]
    columns = {
        title: _best(
            [_interval(by_metric[metric][n]) for n in names],
            [by_metric[metric][n]["mean"] for n in names],
            max,
        )
        for metric, title in METRICS.items()
        if metric in by_metric
    }
    for metric, title in (("auroc", "Rank"), ("average_precision", "Rank by AP")):
        mean_ranks = [by_metric[metric][n]["rank"] for n in names]
        columns[title] = _best([f"{rank:.2f}" for rank in mean_ranks], mean_ranks, min)
    wins = [row["wins"] for row in auroc["rows"]]
    columns["Wins"] = _best([str(n) for n in wins], wins, max)
    columns["AUROC if finished"] = [_percent(row["finished"]) for row in auroc["rows"]]
    columns["Failed"] = [f"{about[n]['failures']} of {about[n]['fits']}" for n in names]
    columns["Seconds"] = [_significant(about[n]["seconds"]) for n in names]
    columns["MiB"] = [_significant(about[n]["memory"]) for n in names]
    rows = [[_text(name), *cells] for name, *cells in zip(names, *columns.values(), strict=True)]
    parts = ["### Means, ranks and cost", _table(["Detector", *columns], rows, escaped=True)]

    parts.append("### Differences")
    test, distance = auroc["friedman"], auroc["critical_difference"]
    if test:
        parts.append(
            f"Friedman's test on AUROC: chi-square {_significant(test['chi_square'])}, "
            f"F {_significant(test['f'])}, p {_p(test['p_value'], '= ')}."
        )
    if distance:
        groups = [", ".join(map(_text, group)) for group in auroc["groups"]] or ["none"]
        parts.append(
            f"Critical difference of mean ranks: {distance:.2f}. Not told apart, groups of ranks:"
        )
        parts.append(_bullets(groups))
    if auroc["tests"]:
        reference = _text(auroc["reference"])
        parts.append(f"{reference} against each other detector, AUROC in points:")
        parts.append(_table(TEST_TITLES, [_test(test) for test in auroc["tests"]]))
        parts.append(f"{reference} against the best other detector of each data set:")
        rows = [[test["dataset"], *_test(test)] for test in auroc["against_best"]]
        parts.append(_table(["Data set", *TEST_TITLES], rows))
    front = sorted(
        (row["detector"] for row in auroc["rows"] if row["pareto"]),
        key=lambda name: about[name]["seconds"],
    )
    parts.append(
        "AUROC against cost, Pareto front: "
        + ", ".join(
            f"{_text(name)} ({_significant(about[name]['seconds'])} s, "
            f"{_percent(by_metric['auroc'][name]['mean'])})"
            for name in front
        )
        + "."
    )
    return parts


def _test(test: Mapping[str, Any]) -> list[str]:
    """A row of a table of paired tests."""
    return [
        test["detector"],
        f"{_percent(test['difference'], '+.1f')} "
        f"[{_percent(test['low'], '+.1f')}, {_percent(test['high'], '+.1f')}]",
        f"{test['wins']} / {test['ties']} / {test['losses']}",
        _p(test["p_value"]),
        _p(test["p_holm"]),
    ]


def _cells(protocol: Mapping[str, Any]) -> str:
    comparison = protocol["comparisons"].get("auroc", {"rows": []})
    names = [detector["name"] for detector in protocol["detectors"]]
    first = [row["detector"] for row in comparison["rows"]]
    order = [names.index(name) for name in [*first, *(n for n in names if n not in first)]]
    rows = []
    for i, dataset in enumerate(protocol["datasets"]):
        values = [protocol["cells"]["auroc"][i][j] for j in order]
        marks = ["\\*" if protocol["failed"][i][j] else "" for j in order]
        texts = [_percent(value) + mark for value, mark in zip(values, marks, strict=True)]
        sizes = [dataset["n_train"], dataset["n_test"], dataset["n_anomalies"]]
        rows.append(
            [
                _text(dataset["name"]),
                *("-" if size is None else f"{size:.0f}" for size in sizes),
                "-" if dataset["n_features"] is None else f"{dataset['n_features']:.0f}",
                _percent(dataset["repeated"]),
                _percent(dataset["twins"]),
                *_best(texts, values, max),
            ]
        )
    titles = ["Data set", "Train", "Test", "Anomalies", "Features", "Repeated, %", "Twins, %"]
    table = _table([*titles, *(names[j] for j in order)], rows, escaped=True)
    return table + ("\n\n\\* with failed fits" if protocol["n_failures"] else "")


def _curves(curves: Sequence[Mapping[str, Any]]) -> list[str]:
    parts = ["## Learning curves: AUROC by labelled rare rows"] if curves else []
    for curve in curves:
        if curve["name"].endswith("/*") or curve is curves[0]:
            lines = [[*line["values"], line["area"]] for line in curve["lines"]]
            columns = list(zip(*lines, strict=True))
            if columns[-1][0] is None:
                columns.pop()
            best = [_best([_percent(v) for v in column], column, max) for column in columns]
            names = [_text(line["detector"]) for line in curve["lines"]]
            titles = ["Detector", *(str(n) for n in curve["labels"]), "Mean area"]
            parts.append(f"### {_text(curve['name'])} (data sets: {curve['n_datasets']})")
            rows = zip(names, *best, strict=True)
            parts.append(_table(titles[: len(columns) + 1], rows, escaped=True))
            if curve["tests"]:
                parts.append(f"Area of {_text(curve['tests'][0]['reference'])}, in points:")
                parts.append(_table(TEST_TITLES, [_test(test) for test in curve["tests"]]))
    return parts


def _environments(environments: Sequence[Mapping[str, Any]]) -> list[str]:
    parts = ["## Versions and hardware"] if environments else []
    for environment in environments:
        facts = [
            f"{_text(key)}: {_text(value)}"
            for key, value in environment.items()
            if key not in ("kind", "packages")
        ]
        packages = [f"{name} {v}" for name, v in sorted(environment.get("packages", {}).items())]
        parts.append(_bullets([*facts, _text("packages: " + ", ".join(packages))]))
    return parts


def _best(texts: Sequence[str], values: Sequence[float | None], best: Any) -> list[str]:
    """Texts of a row or column, the best value's in bold."""
    known = [value for value in values if value is not None]
    winner = best(known) if known else None
    return [
        f"**{text}**" if value is not None and value == winner else text
        for text, value in zip(texts, values, strict=True)
    ]


def _count(n: int, word: str) -> str:
    return f"{n} {word}{'' if n == 1 else 's'}"


def _interval(row: Mapping[str, Any]) -> str:
    return f"{_percent(row['mean'])} [{_percent(row['low'])}, {_percent(row['high'])}]"


def _percent(value: float | None, form: str = ".1f") -> str:
    return "-" if value is None else format(100 * value, form)


def _significant(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.2g}"


def _p(value: float, sign: str = "") -> str:
    return "< 0.001" if value < 0.001 else f"{sign}{value:.3f}"


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _table(titles: Sequence[str], rows: Iterable[Sequence[Any]], *, escaped: bool = False) -> str:
    """Pipe table; the first column to the left, all others to the right."""
    lines = [[_text(title) for title in titles], [":--", *["--:"] * (len(titles) - 1)]]
    lines += [list(row) if escaped else [_text(cell) for cell in row] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _text(value: Any) -> str:
    """Any text as Markdown that shows just this text, on one line."""
    text = html.escape(" ".join(str(value).split()), quote=False)
    return re.sub(r"([\\`*_~\[\]|])", r"\\\1", text)
