"""The machine that a run was made on."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

_PACKAGES = ("grpcio", "onnxruntime", "faiss-cpu", "tantivy", "numpy", "protobuf", "tokenizers")


def machine() -> dict[str, str | int]:
    """Processor, cores, load and the versions that matter, by name."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "load before": f"{os.getloadavg()[0]:.1f}",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        **{package: version(package) for package in _PACKAGES},
    }


def _processor() -> str:
    file = Path("/proc/cpuinfo")
    if file.exists():
        for line in file.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
