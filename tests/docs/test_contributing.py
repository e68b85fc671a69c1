"""The worked examples of CONTRIBUTING.md are of today's code."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text()
DIFFS = re.findall(r"^```diff\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
FILES = re.findall(r"^`([\w/]+\.py)`:\n\n```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("diff", DIFFS, ids=lambda diff: re.findall(r"^\+\+\+ b/(\S+)", diff, re.MULTILINE)[0])
def test_a_diff_applies(diff: str) -> None:
    # Lines may have moved; one neighbour on each side must be as it was.
    done = subprocess.run(
        ["git", "apply", "--check", "-C1", "-"], cwd=ROOT, input=diff, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, f"the code has changed: bring the diff in CONTRIBUTING.md up to it\n{done.stderr}"


def test_new_files_are_new_and_whole() -> None:
    assert len(FILES) == 4
    for name, text in FILES:
        assert not (ROOT / name).exists()
        compile(text, name, "exec")
