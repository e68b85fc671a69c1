"""Dashboards, alerts and scrape settings as code, held to what the processes show."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.deploy.shown_metrics import shown

ROOT = Path(__file__).parents[2]
OBSERVABILITY = ROOT / "deploy/observability"
PROMETHEUS = OBSERVABILITY / "prometheus"
RULES = [rule for group in yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
DASHBOARD = json.loads((OBSERVABILITY / "grafana/dashboards/vitrine.json").read_text())
QUERIES = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]
# What Prometheus itself adds to each series.
ADDED = {"job", "instance", "service", "le"}


@pytest.mark.parametrize("query", [*(rule["expr"] for rule in RULES), *QUERIES])
def test_queries_ask_for_what_is_shown(query: str) -> None:
    series = shown()
    named = set(re.findall(r"\bvitrine_\w+", query))
    assert named - series.keys() == set()
    known = ADDED.union(*(series[name] for name in named))
    asked = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", query))
    for by in re.findall(r"\bby \(([^)]*)\)", query):
        asked |= {label.strip() for label in by.split(",")}
    assert asked - known == set()


def test_every_alert_says_what_is_wrong_and_what_to_do_and_is_tested() -> None:
    page = (ROOT / "docs/observability.md").read_text()
    tests = yaml.safe_load((PROMETHEUS / "alerts_test.yml").read_text())["tests"]
    tested = {one["alertname"] for test in tests for one in test["alert_rule_test"] if one["exp_alerts"]}
    assert len(RULES) >= 15
    for rule in RULES:
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]
        assert f"| `{rule['alert']}` |" in page
        # Two a second may be 1.9999999999999998.
        assert not re.search(r"\$value *\}", rule["annotations"]["summary"])
    assert {rule["alert"] for rule in RULES} == tested


def test_the_compose_profile_scrapes_every_service_and_shows_what_lies_here() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    services = compose["services"]
    profile = {name for name, one in services.items() if one.get("profiles") == ["observability"]}
    assert profile == {"prometheus", "collector", "grafana"}
    [job] = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"]
    [discovery] = job["dns_sd_configs"]
    for name in discovery["names"]:
        assert services[name]["environment"][f"VITRINE_{name.upper()}_METRICS_PORT"] == discovery["port"]
    assert set(discovery["names"]) == {"gateway", "embedder", "retriever", "ranker"}
    for name in profile:
        one = services[name]
        assert one["read_only"]
        assert all(port.startswith("127.0.0.1:") for port in one["ports"])
        for volume in one.get("volumes", ()):
            source = volume.split(":")[0]
            assert (ROOT / source).exists() if source.startswith(".") else source in compose["volumes"]
    # Whoever reaches it may look, and nobody knows a password that it came with.
    assert compose["services"]["grafana"]["environment"]["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    sources = yaml.safe_load((OBSERVABILITY / "grafana/provisioning/datasources/vitrine.yml").read_text())
    assert {source["url"].split("/")[2].split(":")[0] for source in sources["datasources"]} <= profile
    uids = {source["uid"] for source in sources["datasources"]}
    assert {panel["datasource"]["uid"] for panel in DASHBOARD["panels"] if "datasource" in panel} <= uids


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
@pytest.mark.parametrize("command", [["check", "config", "prometheus.yml"], ["test", "rules", "alerts_test.yml"]])
def test_promtool_finds_no_fault(command: list[str]) -> None:
    done = subprocess.run(["promtool", *command], cwd=PROMETHEUS, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
