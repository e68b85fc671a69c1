"""What Vitrine is compared with, each with requirements of its own, installed into the bench's folder on first use."""

import subprocess
import sys
from pathlib import Path

_INSTALL_S = 900.0


class NotInstalled(Exception):
    """A baseline could not be installed here; says why."""


def installed_python(folder: Path, name: str) -> Path:
    """The Python of the baseline's virtual environment, made in `folder` the first time. Raises NotInstalled."""
    place, requirements = folder / "venvs" / name, Path(__file__).parent / name / "requirements.txt"
    python, stamp = place / "bin" / "python", place / "requirements.txt"
    if not (stamp.exists() and stamp.read_bytes() == requirements.read_bytes()):
        for command in (
            [sys.executable, "-m", "venv", str(place)],
            [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(requirements)],
        ):
            try:
                subprocess.run(command, capture_output=True, text=True, check=True, timeout=_INSTALL_S)
            except subprocess.CalledProcessError as error:
                said = error.stderr.strip().splitlines() or ["nothing was said"]
                raise NotInstalled(f"{name} could not be installed: {said[-1]}") from error
            except subprocess.TimeoutExpired as error:
                raise NotInstalled(f"{name} was not installed within {_INSTALL_S:.0f} s") from error
        stamp.write_bytes(requirements.read_bytes())
    return python
