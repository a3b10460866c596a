"""Every combination of flags renders, with every helm, and is what Kubernetes understands."""

from __future__ import annotations

import json
import re
import subprocess
import tarfile
from pathlib import Path

import pytest
import yaml

from chart import matrix
from chart.rendering import CHART, KUBERNETES, NAMESPACE, RELEASE, helm, objects, text, title

pytestmark = [pytest.mark.needs("helm"), pytest.mark.timeout(60)]
every_combination = pytest.mark.parametrize("name", matrix.COMBINATIONS)
CLUSTER_SCOPED = {
    "ClusterRole", "ClusterRoleBinding", "PersistentVolume", "PriorityClass",
    "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
}  # fmt: skip


def without_passwords(manifests: str) -> str:
    """The same without what is drawn anew at every rendering, and without empty lines."""
    plain = re.sub(r"^(  \w+-password:) .*$", r"\1", manifests, flags=re.MULTILINE)
    return re.sub(r"\n\s*\n", "\n", plain)


@every_combination
def test_39_lint_is_clean(name: str) -> None:
    """`helm lint --strict` finds nothing."""
    values = matrix.COMBINATIONS[name]

    said = helm("helm", "lint", "--strict", "--kube-version", KUBERNETES, str(CHART), values=values)

    assert "0 chart(s) failed" in said
    assert "[WARNING]" not in said


@pytest.mark.needs("helm3")
@every_combination
def test_helm_3_and_helm_4_agree(name: str) -> None:
    """Both render the same objects."""
    three, four = (text(matrix.COMBINATIONS[name], name=tool) for tool in ("helm3", "helm"))

    assert without_passwords(three) == without_passwords(four)


@every_combination
def test_objects_have_names_labels_and_a_namespace(name: str) -> None:
    """No name occurs twice, all objects are labelled, those of a namespace name it."""
    found = objects(matrix.COMBINATIONS[name])
    names = [title(each) for each in found]

    assert sorted(set(names)) == names
    for each in found:
        labels = each["metadata"]["labels"]
        assert labels["app.kubernetes.io/instance"] == "orion-inference"
        assert labels["app.kubernetes.io/part-of"] == "orion"
        scoped = each["kind"] in CLUSTER_SCOPED
        assert each["metadata"].get("namespace") == (None if scoped else NAMESPACE), title(each)
        assert not scoped or each["metadata"]["name"].startswith(f"{NAMESPACE}-"), title(each)


@pytest.mark.needs("kubeconform")
@every_combination
def test_39_manifests_parse(name: str, tmp_path: Path) -> None:
    """Without a cluster: kubeconform takes every document for a Kubernetes object."""
    file = tmp_path / "rendered.yaml"
    file.write_text(text(matrix.COMBINATIONS[name]))

    done = subprocess.run(
        ["kubeconform", "-strict", "-ignore-missing-schemas", "-schema-location",
         str(tmp_path / "none"), str(file)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.stdout, done.returncode) == ("", 0)


@pytest.mark.needs("checkov")
@pytest.mark.parametrize("mode", ["host-path", "claim"])
def test_39_checkov_finds_nothing(mode: str, tmp_path: Path) -> None:
    """But what .checkov.yaml gives a reason for; in mode claim no added capability either."""
    file = tmp_path / "rendered.yaml"
    file.write_text(text(matrix.CHOICES["ollama"][mode]))
    command = ["checkov", "--config-file", str(CHART / ".checkov.yaml"), "--output", "json"]
    if mode == "claim":
        skipped = yaml.safe_load((CHART / ".checkov.yaml").read_text())["skip-check"]
        command += ["--skip-check", ",".join(c for c in skipped if c != "CKV_K8S_25")]

    done = subprocess.run([*command, "-f", str(file)], capture_output=True, text=True, check=False)

    summary = json.loads(done.stdout)["summary"]
    assert summary["failed"] == 0, done.stdout
    assert summary["passed"] > 500


def test_the_packaged_chart_is_the_same(tmp_path: Path) -> None:
    """`helm package` leaves out nothing that is needed, and carries no file of developers."""
    package = ["helm", "package", str(CHART), "--destination", str(tmp_path)]
    subprocess.run(package, check=True, capture_output=True, timeout=60)
    (archive,) = tmp_path.glob("*.tgz")
    with tarfile.open(archive) as found:
        names = {name.partition("/")[2] for name in found.getnames()}
    rendered = helm("helm", "template", RELEASE, str(archive), "--namespace", NAMESPACE,
                    "--kube-version", KUBERNETES, values=matrix.EVERYTHING)  # fmt: skip

    assert without_passwords(rendered) == without_passwords(text(matrix.EVERYTHING))
    assert {"crds/inferenceclusters.yaml", "values.schema.json", "README.md"} <= names
    assert not [name for name in names if name.startswith(".") and name != ".helmignore"]


def test_kubernetes_1_29_gets_no_field_it_does_not_know() -> None:
    """Neither a sleeping preStop nor an admission policy, which came with 1.30."""
    old, new = text(kubernetes="1.29.0"), text()

    assert "preStop" in new
    assert "ValidatingAdmissionPolicy" in new
    assert "preStop" not in old
    assert "ValidatingAdmissionPolicy" not in old


def test_a_long_release_name_still_gives_valid_names() -> None:
    """53 characters, the longest that helm takes: no name is longer than a label may be, but those
    that begin with a namespace, which may be as long as Kubernetes takes (253)."""
    found = objects({}, release="r" * 53)

    assert max(len(e["metadata"]["name"]) for e in found if e["kind"] not in CLUSTER_SCOPED) < 64
    assert max(len(e["metadata"]["name"]) for e in found) < 254 - 63
