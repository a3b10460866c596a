"""`orion doctor` as the documentation says to run it: by `kubectl exec` in the operator's pod."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass

import pytest

from e2e.kube import Kube

OPERATOR = "deploy/orion-inference-operator"


@dataclass(frozen=True)
class Diagnosis:
    """What it printed, and whether it called that a failure."""

    text: str
    failed: bool

    def finding(self, level: str, subject: str, about: str) -> str:
        """The remedy of the one line with this level, subject and words; the test fails where
        there is no such line, or no remedy below it."""
        line = rf"^{level}  {re.escape(subject)} +(?P<text>\S.*)\n +→ (?P<remedy>\S.*)$"
        for found in re.finditer(line, self.text, re.MULTILINE):
            if about in found["text"]:
                assert self.failed or level != "FAIL", self.text
                return found["remedy"]
        pytest.fail(f"no line {level} {subject} with {about!r} and a remedy:\n{self.text}")


def doctor(kube: Kube, where: str = OPERATOR) -> Diagnosis:
    """Run it in the operator's pod, or in another one of ours."""
    done = subprocess.run(
        ["kubectl", "-n", kube.namespace, "exec", where, "--", "orion", "doctor"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert " ok, " in done.stdout, done.stdout + done.stderr
    return Diagnosis(done.stdout, done.returncode == 1)
