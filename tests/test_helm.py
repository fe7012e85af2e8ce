"""The values for Airflow's chart and the manifests beside it: what they rely on, and that nothing may more than needed.

``MINHU_AIRFLOW_CHART`` is the folder of the chart, unpacked: then the values are held against its own schema, and where
`helm` is there, what it makes of them against Kubernetes'. Nothing of the chart is in this repository.
"""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest
import yaml

from minhu.services.airflow_home import AirflowHome
from minhu.settings import PROJECT_ROOT, Settings
from tests.test_docker import known_options

HELM = PROJECT_ROOT / "docker" / "helm"
VALUES = yaml.safe_load((HELM / "values.yaml").read_text(encoding="utf-8"))
MANIFESTS = list(yaml.safe_load_all((HELM / "minhu.yaml").read_text(encoding="utf-8")))
KUBERNETES = "1.34"
CONTAINED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
PROCESSES = ("apiServer", "scheduler", "dagProcessor", "triggerer", "migrateDatabaseJob")
WORKERS = VALUES["workers"]["celery"]


@pytest.fixture(scope="session")
def chart() -> Path:
    folder = os.environ.get("MINHU_AIRFLOW_CHART")
    if not folder:
        pytest.skip("NOT HELD AGAINST THE CHART: MINHU_AIRFLOW_CHART names no folder of it")
    return Path(folder)


def test_the_values_are_of_the_charts_schema(chart):
    schema = json.loads((chart / "values.schema.json").read_text(encoding="utf-8"))
    errors = jsonschema.Draft7Validator(schema).iter_errors(VALUES)
    assert [f"{error.json_path}: {error.message}" for error in errors] == []


def test_what_the_chart_makes_of_them_is_kubernetes(chart):
    if not (helm := shutil.which("helm")):
        pytest.skip("NOT RENDERED: there is no helm")
    command = [helm, "template", "minhu", chart, "--namespace", "minhu", "--values", HELM / "values.yaml"]
    rendered = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    made = [one for one in yaml.safe_load_all(rendered) if one]
    assert {"minhu-api-server", "minhu-scheduler", "minhu-worker"} <= {one["metadata"]["name"] for one in made}
    for one in made:
        kubernetes_validate.validate(one, KUBERNETES, strict=True)
    for pod in pods(made):
        assert_contained(pod)


def test_the_manifests_are_kubernetes():
    for one in MANIFESTS:
        kubernetes_validate.validate(one, KUBERNETES, strict=True)
    assert [one["kind"] for one in MANIFESTS].count("Deployment") == 1


def pods(manifests: list[dict]) -> list[dict]:
    return [one["spec"]["template"]["spec"] for one in manifests if "template" in one.get("spec", {})]


def assert_contained(pod: dict) -> None:
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    for container in [*pod["containers"], *(pod.get("initContainers") or [])]:
        assert container["securityContext"] == CONTAINED, container["name"]
    assert not [volume for volume in pod.get("volumes", []) if "hostPath" in volume]


def test_no_pod_is_root_or_has_a_capability_or_writes_to_its_root():
    for pod in pods(MANIFESTS):
        assert_contained(pod)
    default = VALUES["securityContexts"]
    assert default["containers"] == VALUES["redis"]["securityContexts"]["container"] == CONTAINED
    for pod in (default["pod"], VALUES["redis"]["securityContexts"]["pod"]):
        assert pod["runAsNonRoot"] is True
        assert pod["runAsUser"] > 0
    ours = [VALUES[name] for name in PROCESSES]
    for part in [*ours, WORKERS]:
        assert "securityContexts" not in part  # or the default would not hold
        assert all(one["securityContext"] == CONTAINED for one in part.get("extraInitContainers", []))
        assert part["resources"]["limits"]["memory"]
    uid = re.search(r"^USER (\d+):(\d+)$", (HELM.parent / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert (default["pod"]["runAsUser"], default["pod"]["runAsGroup"]) == (int(uid[1]), int(uid[2]))


def test_no_pod_has_a_token_of_kubernetes():
    for part in [*(VALUES[name] for name in PROCESSES), WORKERS, VALUES["redis"]]:
        assert part["serviceAccount"]["automountServiceAccountToken"] is False
    assert not VALUES["rbac"]["create"]
    assert all(pod["automountServiceAccountToken"] is False for pod in pods(MANIFESTS))


def secrets_of(part: dict) -> set[str]:
    """The entries of Secrets that a part is given, as ``secret.entry``."""
    told = [one["valueFrom"]["secretKeyRef"] for one in part["env"] if "valueFrom" in one]
    return {f"{one['name']}.{one['key']}" for one in told}


def test_each_pod_has_the_secrets_that_it_needs_and_none_is_written_here():
    airflow = {"minhu-airflow.connection", "minhu-airflow.fernet-key"}
    assert {name: secrets_of(VALUES[name]) for name in PROCESSES} | {"worker": secrets_of(WORKERS)} == {
        "apiServer": airflow | {"minhu-pages.url"},
        "scheduler": airflow | {"minhu-broker.connection"},
        "dagProcessor": airflow,
        "triggerer": airflow,
        "migrateDatabaseJob": {"minhu-broker.connection", "minhu-tasks.caller-key", "minhu-tasks.record-key"}
        | {f"minhu-prepare.{login}" for login in ("postgres", "owner", "work", "airflow", "engineer")},
        "worker": {"minhu-broker.connection"}
        | {f"minhu-tasks.{key}" for key in ("database", "results", "caller-key", "record-key", "landing-key")},
    }
    for part in [*(VALUES[name] for name in PROCESSES), WORKERS]:
        written = [one["name"] for one in part["env"] if "value" in one]
        assert not [name for name in written if re.search("PASSWORD|KEY|SECRET|DATABASE|BROKER", name)]
    assert set(VALUES["enableBuiltInSecretEnvVars"].values()) == {False}


def test_the_job_is_given_what_prepare_reads():
    read = set(re.findall(r"`?\b(MINHU_[A-Z_]+)\b", (HELM.parent / "prepare.py").read_text(encoding="utf-8")))
    given = {one["name"] for one in VALUES["migrateDatabaseJob"]["env"]}
    assert read - {"MINHU_"} <= given
    assert VALUES["migrateDatabaseJob"]["args"] == ["python", "docker/prepare.py"]


def test_only_workers_see_what_was_delivered_and_only_they_and_prepare_the_landing_zone():
    assert {one["name"] for one in WORKERS["extraVolumes"]} == {"landing", "drop"}
    claims = {one["metadata"]["name"]: one["spec"] for one in MANIFESTS if one["kind"] == "PersistentVolumeClaim"}
    assert {one["persistentVolumeClaim"]["claimName"] for one in WORKERS["extraVolumes"]} == claims.keys()
    assert all(claim["accessModes"] == ["ReadWriteMany"] for claim in claims.values())
    others = {name: [mount["name"] for mount in VALUES[name].get("extraVolumeMounts", [])] for name in PROCESSES}
    assert {name: of for name, of in others.items() if of} == {"apiServer": ["logs"], "migrateDatabaseJob": ["landing"]}
    mounted = {mount["mountPath"] for mount in WORKERS["extraVolumeMounts"]}
    said = {one["value"] for one in WORKERS["env"] if one["name"] in ("MINHU_LANDING", "MINHU_DROP")}
    assert mounted == said | {"/var/lib/minhu"}


def test_airflow_is_set_as_minhu_up_sets_it(tmp_path: Path):
    """Each option that both set, but for those that are of one machine; and each is one that Airflow knows."""
    server = "postgresql://somebody:secret@127.0.0.1/warehouse"
    given = Settings(home=tmp_path, config=tmp_path, drop=tmp_path, database_url=server, broker_url="redis://127.0.0.1")
    home = AirflowHome(given)
    ours = {(section, key): str(value) for section, of in home._options().items() for key, value in of.items()}
    here = {(section, key): str(value) for section, of in VALUES["config"].items() for key, value in of.items()}
    of_one_machine = {
        ("core", "parallelism"),
        ("core", "dags_folder"),
        ("api", "base_url"),
    } | {
        ("dag_processor", "dag_bundle_storage_path"),
        ("scheduler", "orphaned_tasks_check_interval"),
    }
    differ = {key for key in ours.keys() & here.keys() if ours[key] != here[key]}
    assert differ - of_one_machine == set()
    read_and_not_told = {("scheduler", "num_stuck_in_queued_retries")}
    of_the_provider = {key for key in here if key[0].startswith("celery")}
    assert here.keys() - read_and_not_told - of_the_provider - known_options() == set()
    assert here["core", "dags_folder"] == "/opt/minhu/dags"


def test_nothing_calls_home_and_nothing_of_the_chart_runs_that_we_do_not_use():
    for name in ("statsd", "pgbouncer", "postgresql", "flower", "createUserJob"):
        assert VALUES[name]["enabled"] is False, name
    assert VALUES["config"]["metrics"]["statsd_on"] == "False"
    told = (HELM.parent / "Dockerfile").read_text(encoding="utf-8")
    for said in ("DO_NOT_TRACK=1", "DBT_SEND_ANONYMOUS_USAGE_STATS=false", "GX_ANALYTICS_ENABLED=false"):
        assert said in told


def test_images_are_pinned_and_the_versions_are_those_of_the_project():
    assert VALUES["images"]["redis"] == {"repository": "valkey/valkey", "tag": "8.1.4"}
    locked = re.search(r'name = "apache-airflow-core"\nversion = "([^"]+)"', (PROJECT_ROOT / "uv.lock").read_text())
    assert VALUES["airflowVersion"] == locked[1]
    ours = VALUES["images"]["airflow"]
    keeper = next(one for one in pods(MANIFESTS))["containers"][0]
    assert keeper["image"] == f"{ours['repository']}:{ours['tag']}"
    assert f'version = "{ours["tag"]}"' in (PROJECT_ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_nobody_speaks_to_anybody_but_who_must():
    """Each way in has its way out, of the same port; everything else is closed."""
    policies = {one["metadata"]["name"]: one["spec"] for one in MANIFESTS if one["kind"] == "NetworkPolicy"}
    assert policies["minhu-nobody"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for name in ("api-server", "broker", "logs"):
        way_in, way_out = policies[f"minhu-{name}"], policies[f"minhu-to-{name}"]
        assert way_in["ingress"][0]["ports"] == way_out["egress"][0]["ports"]
        assert way_in["ingress"][0]["from"][0] == {"podSelector": way_out["podSelector"]}
        assert way_out["egress"][0]["to"] == [{"podSelector": way_in["podSelector"]}]
    closed = policies["minhu-database"]["podSelector"]["matchExpressions"]
    assert closed == [{"key": "component", "operator": "NotIn", "values": ["redis"]}]
    assert policies["minhu-outside"]["podSelector"]["matchExpressions"][0]["values"] == ["worker", "keeper"]
    assert not VALUES["networkPolicies"]["enabled"]
