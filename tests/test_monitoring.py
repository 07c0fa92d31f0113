"""The dashboard, the alerts and their page name metrics and labels that there are."""

import json
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from tensoria.metrics.shared import SharedMetrics
from tests.requirements import need_program

ROOT = Path(__file__).parents[1]
DASHBOARD = ROOT / "deploy" / "grafana" / "tensoria.json"
ALERTS = ROOT / "deploy" / "alerts.yml"


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What /metrics says when everything has happened once."""
    metrics = SharedMetrics(tmp_path_factory.mktemp("metrics"), {"store", "max_tokens"})
    fields = {"model": "m", "queue_ms": 5, "ignored": "store", "adjusted": "max_tokens=1"}
    happened: Any = SimpleNamespace(
        endpoint="/v1/chat/completions",
        key="ann",
        model="m",
        status=499,
        state="streaming",
        fields=fields,
        tokens_in=1,
        tokens_out=1,
        first_token_ms=1.0,
        tokens_per_second=1.0,
    )
    metrics.finished(happened)
    metrics.loaded("m", 1.0, failed=False)
    metrics.wedged("m")
    told = metrics.text(engine_up=True).decode()
    metrics.close()
    return told


@pytest.fixture(scope="module")
def labels(text: str) -> dict[str, set[str]]:
    """The labels of each sample by its name."""
    found: dict[str, set[str]] = {}
    for name, inside in re.findall(r"^(\w+)(?:\{(.*)\})? \S+$", text, re.MULTILINE):
        found.setdefault(name, set()).update(re.findall(r'(\w+)="', inside))
    return found


def expressions() -> list[str]:
    dashboard = json.loads(DASHBOARD.read_text())
    shown = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked = [variable["definition"] for variable in dashboard["templating"]["list"]]
    alerts = yaml.safe_load(ALERTS.read_text())
    return [*shown, *asked, *(rule["expr"] for rule in alerts["groups"][0]["rules"])]


@pytest.mark.parametrize("expression", expressions())
def test_expressions_name_metrics_and_labels_that_there_are(
    expression: str, labels: dict[str, set[str]]
) -> None:
    named = set(re.findall(r"\btensoria_\w+", expression))

    assert named <= labels.keys()
    assert named or expression.startswith("up{")
    allowed = {"le", "job"}.union(*(labels[name] for name in named))
    by = [name for group in re.findall(r"by \((.*?)\)", expression) for name in group.split(", ")]
    assert {*by, *re.findall(r"(\w+)=~?\"", expression)} <= allowed


def test_every_metric_is_shown(text: str) -> None:
    shown = " ".join(expressions())
    families = re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE)

    assert [name for name in families if name.removesuffix("_total") not in shown] == []


def test_the_page_names_every_metric_and_its_labels(text: str, labels: dict[str, set[str]]) -> None:
    page = (ROOT / "docs" / "metrics.md").read_text()
    rows = re.findall(r"^\| `(tensoria_\w+)` \| (.*?) ?\|", page, re.MULTILINE)
    families = re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE)

    assert sorted(name for name, _ in rows) == sorted(families)
    for name, listed in rows:
        found = labels.get(name, labels.get(f"{name}_bucket", set())) - {"le"}
        assert set(filter(None, listed.split(", "))) == found, name


def test_panels_have_ids_and_places_of_their_own() -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    places = [panel["gridPos"] for panel in panels]

    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (place["x"] + x, place["y"] + y)
        for place in places
        for x in range(place["w"])
        for y in range(place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


@pytest.mark.e2e
def test_prometheus_takes_the_alerts() -> None:
    program = need_program("promtool", "apt-get install --no-install-recommends prometheus")

    subprocess.run([program, "check", "rules", str(ALERTS)], check=True, capture_output=True)
