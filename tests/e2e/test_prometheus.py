"""deploy/prometheus.yml in the real Prometheus, with the fake in the service's place."""

from pathlib import Path

import pytest
import yaml

from tests.e2e.service import ROOT, clean_environment, free_port, running
from tests.fake_ollama import FakeOllama, answer_text
from tests.requirements import need_program

pytestmark = pytest.mark.e2e

INSTALL = "apt-get install --no-install-recommends prometheus"


def test_prometheus_asks_for_the_metrics_with_their_key(tmp_path: Path, fake: FakeOllama) -> None:
    program = need_program("prometheus", INSTALL)
    fake.script("/metrics", answer_text("tensoria_up 1\n", 200))
    (tmp_path / "key").write_text("the-key-of-the-metrics")
    config = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text())
    (job,) = config["scrape_configs"]
    assert job["static_configs"] == [{"targets": ["api:8002"]}]
    job["static_configs"] = [{"targets": [f"127.0.0.1:{fake.port}"]}]
    assert job["authorization"] == {"credentials_file": "/tmp/metrics_key"}  # noqa: S108
    job["authorization"] = {"credentials_file": str(tmp_path / "key")}
    config["global"]["scrape_interval"] = "1s"
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    command = [
        program,
        f"--config.file={tmp_path}/prometheus.yml",
        f"--storage.tsdb.path={tmp_path}/data",
        f"--web.listen-address=127.0.0.1:{free_port()}",
    ]
    with running(command, tmp_path, clean_environment(tmp_path)):
        asked = fake.wait_for_request("/metrics", timeout=20)

    assert asked.headers["authorization"] == "Bearer the-key-of-the-metrics"
