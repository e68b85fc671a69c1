"""What kustomize makes of deploy/kubernetes, kept beside the tests: `python -m tests.deploy.render` (make manifests).

Each file begins with the digest of all that it was made of, by which a test sees, without kustomize, that it is stale.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "deploy/kubernetes"
RENDERED = Path(__file__).parent / "rendered"
OVERLAYS = ("small", "large", "example")


def digest() -> str:
    """The SHA-256 of every file of the manifests."""
    whole = hashlib.sha256()
    for path in sorted(SOURCES.rglob("*.yaml")):
        whole.update(f"{path.relative_to(SOURCES)}\0{path.read_text(encoding='utf-8')}\0".encode())
    return whole.hexdigest()


def kustomize() -> list[str] | None:
    """The command that builds an overlay, to which its folder is added; None where no such program is on PATH."""
    if shutil.which("kustomize"):
        return ["kustomize", "build"]
    return ["kubectl", "kustomize"] if shutil.which("kubectl") else None


def build(overlay: str, command: list[str]) -> str:
    """The overlay's manifests. Raises SystemExit with what kustomize says is wrong with it."""
    done = subprocess.run([*command, str(SOURCES / overlay)], capture_output=True, text=True, timeout=60)
    if done.returncode:
        sys.exit(f"deploy/kubernetes/{overlay}: {done.stderr}")
    return done.stdout


def main() -> None:
    """Renders every overlay."""
    command = kustomize()
    if command is None:
        sys.exit("neither kustomize nor kubectl is on PATH: one of them renders the manifests")
    RENDERED.mkdir(exist_ok=True)
    for overlay in OVERLAYS:
        (RENDERED / f"{overlay}.yaml").write_text(f"# sources: {digest()}\n{build(overlay, command)}", encoding="utf-8")


if __name__ == "__main__":
    main()
