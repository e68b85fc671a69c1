"""Python, packages, processors, memory, folders, the system and its network: each made wrong for real."""

import errno
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from cli.doctor import packages
from cli.doctor.findings import Verdict
from cli.doctor.machine import Machine
from tests.cli.doctor.conftest import among, is_well, seen, tells
from tests.cli.up.running import ROOT


def _package(folder: Path, name: str, version: str, metadata: str = "", module: str = "") -> None:
    """A distribution as pip would leave it, as far as metadata goes."""
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{metadata}")
    (info / "top_level.txt").write_text(module)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose packages are found before the others."""
    monkeypatch.syspath_prepend(str(tmp_path / "packages"))
    return tmp_path / "packages"


async def test_what_is_installed_here_is_well() -> None:
    for name in ("python", "versions", "extras", "twins", "generated", "load"):
        await is_well(f"packages.{name}")


async def test_another_python_is_needed(installed: Path) -> None:
    _package(installed, "vitrine", "9", "Requires-Python: >=3.99\n")
    await tells("packages.python", Verdict.PROBLEM, ">=3.99")


async def test_a_package_is_too_old_or_stands_on_one_that_is_missing(installed: Path) -> None:
    _package(installed, "numpy", "1.26.4")
    _package(installed, "starlette", "9.9", "Requires-Dist: no-such-thing>=2\n")
    _package(installed, "pymilvus", "1.0")
    found = await seen("packages.versions")
    among(found, Verdict.PROBLEM, "vitrine needs numpy", "1.26.4", "pip install 'numpy>=2")
    among(found, Verdict.PROBLEM, "starlette needs no-such-thing>=2, and none")
    among(found, Verdict.WARNING, "vitrine[milvus] needs pymilvus", "1.0")


async def test_two_packages_bring_one_module(installed: Path) -> None:
    _package(installed, "faiss_gpu", "1.7.2", module="faiss\n")
    await tells("packages.twins", Verdict.PROBLEM, "faiss-cpu and faiss_gpu", "pip uninstall")


async def test_protobuf_is_older_than_the_generated_code(installed: Path) -> None:
    _package(installed, "protobuf", "5.29.3")
    await tells("packages.generated", Verdict.PROBLEM, "protobuf", "5.29.3")


async def test_what_the_settings_choose_is_not_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VITRINE_RETRIEVER_BACKEND", "milvus")
    await is_well("packages.extras")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    await tells("packages.extras", Verdict.PROBLEM, "VITRINE_RETRIEVER_BACKEND=milvus", "pip install 'vitrine[milvus]'")


async def test_a_package_does_not_load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "faiss.py").write_text("raise ImportError('numpy.core.multiarray failed to import')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    await tells("packages.load", Verdict.PROBLEM, "multiarray failed to import", "force-reinstall")


def _root(folder: Path, **files: str) -> Machine:
    """A machine of these files; `__` in a name is a slash."""
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("-", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Machine(folder)


async def test_instruction_sets(tmp_path: Path) -> None:
    flags = "processor\t: 0\nflags\t\t: fpu {}\n"
    old = _root(tmp_path / "old", proc__cpuinfo=flags.format("sse4_2 avx"))
    await tells("processors.instructions", Verdict.WARNING, "neither AVX2 nor VNNI", examined=old)
    await is_well("processors.instructions", _root(tmp_path / "avx2", proc__cpuinfo=flags.format("avx2")))
    arm = _root(tmp_path / "arm", proc__cpuinfo="Features\t: fp asimd asimddp\n")
    await is_well("processors.instructions", arm)
    await tells("processors.instructions", Verdict.UNKNOWN, "names no instruction sets", examined=_root(tmp_path))


async def test_a_quota_that_is_too_small_uneven_or_met_too_often(tmp_path: Path) -> None:
    for quota, words in {"50000 100000": "0.5 processors: one thread", "150000 100000": "1.5 processors"}.items():
        folder = tmp_path / quota
        group = {"proc__self__cgroup": "0::/\n"}
        (folder / "sys/fs/cgroup").mkdir(parents=True)
        (folder / "sys/fs/cgroup/cpu.max").write_text(f"{quota}\n")
        (folder / "sys/fs/cgroup/cpu.stat").write_text("usage_usec 5\nnr_periods 100\nnr_throttled 40\n")
        found = await tells("processors.quota", Verdict.WARNING, words, examined=_root(folder, **group))
        assert "processor" in found.todo or "quota" in found.todo
        await tells("processors.quota", Verdict.WARNING, "40% of its periods", examined=Machine(folder))
    await is_well("processors.quota", _root(tmp_path / "none", proc__self__cgroup="0::/\n"))


async def test_more_threads_than_may_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine = _root(tmp_path, proc__self__cgroup="0::/\n")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    await is_well("processors.threads", machine)
    monkeypatch.setenv("OMP_NUM_THREADS", "4096")
    monkeypatch.setenv("VITRINE_RETRIEVER_THREADS", "4096")
    await tells("processors.threads", Verdict.WARNING, "OMP_NUM_THREADS is 4096", examined=machine)
    await tells("processors.threads", Verdict.WARNING, "VITRINE_RETRIEVER_THREADS is 4096", examined=machine)
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    await tells("processors.threads", Verdict.PROBLEM, "'many'", examined=machine)


async def test_memory_is_less_than_the_models_and_vectors_take(tmp_path: Path, filled: Path) -> None:
    await is_well("memory.limit")
    small = _root(tmp_path / "small", proc__meminfo="MemTotal: 20480 kB\n")
    await tells("memory.limit", Verdict.PROBLEM, "too little memory: 20 MiB", "of 3 products", examined=small)
    await tells("memory.limit", Verdict.UNKNOWN, "does not say", examined=_root(tmp_path / "nothing"))


async def test_the_container_is_full_and_was_killed_for_memory(tmp_path: Path) -> None:
    machine = _root(tmp_path, proc__self__cgroup="0::/\n")
    group = tmp_path / "sys/fs/cgroup"
    group.mkdir(parents=True)
    for name, text in {
        "memory.events": "oom 3\noom_kill 2\n",
        "memory.current": "970000\n",
        "memory.max": "1000000\n",
        "memory.stat": "inactive_file 10000\n",
    }.items():
        (group / name).write_text(text)
    await tells("memory.use", Verdict.WARNING, "2 processes were killed", examined=machine)
    await tells("memory.use", Verdict.WARNING, "are in use", examined=machine)
    (group / "memory.events").write_text("oom_kill 0\n")
    (group / "memory.max").write_text("max\n")
    await is_well("memory.use", machine)


async def test_a_folder_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await is_well("folders.writable")
    (tmp_path / "file").touch()
    monkeypatch.setenv("VITRINE_EVENTS_DATA_DIR", str(tmp_path / "file"))
    await tells("folders.writable", Verdict.PROBLEM, "VITRINE_EVENTS_DATA_DIR", "cannot be written")


def test_a_disk_is_full(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    alone = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    mounted = f"mount -t tmpfs -o size=512k,nr_inodes=20 none {disk} && "
    if not shutil.which("unshare") or subprocess.run([*alone, f"{mounted} true"], capture_output=True).returncode:
        pytest.skip("no disk can be mounted here: unshare --mount is not allowed")
    done = subprocess.run(
        [*alone, f"{mounted} exec {sys.executable} -m cli doctor folders"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "VITRINE_RETRIEVER_DATA_DIR": str(disk)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stderr
    assert f"folders.writable: {disk} (VITRINE_RETRIEVER_DATA_DIR) cannot be written: No space left" in done.stdout
    assert f"folders.space: {disk}: 0 MiB free" in done.stdout
    assert f"folders.inodes: {disk} has inodes for" in done.stdout


async def test_few_files_may_be_open() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        for limit, verdict in {200: Verdict.PROBLEM, 512: Verdict.WARNING}.items():
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
            await tells("system.descriptors", verdict, f"only {limit} files", "ulimit -n")
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4_096, hard), hard))
        await is_well("system.descriptors")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_text_is_not_utf_8() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "utf8=0", "-m", "cli", "doctor", "system.locale"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "warning         system.locale: text is " in done.stdout
    assert "LANG=C.UTF-8" in done.stdout


async def test_a_proxy_without_an_exception_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "GRPC_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    await is_well("system.proxies")
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    await tells("system.proxies", Verdict.WARNING, "HTTP_PROXY", "NO_PROXY=127.0.0.1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,.internal")
    await is_well("system.proxies")


async def test_a_port_is_taken_by_another_or_by_a_part(monkeypatch: pytest.MonkeyPatch, start_server: object) -> None:
    for name in ("GATEWAY", "EMBEDDER", "RETRIEVER", "RANKER"):
        monkeypatch.setenv(f"VITRINE_{name}_PORT", "0")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        monkeypatch.setenv("VITRINE_GATEWAY_HTTP_PORT", str(other.getsockname()[1]))
        await tells("network.ports", Verdict.PROBLEM, "cannot listen", "VITRINE_GATEWAY_HTTP_PORT")
    monkeypatch.setenv("VITRINE_GATEWAY_HTTP_PORT", "0")
    part = await start_server(lambda server: [])  # type: ignore[operator]
    monkeypatch.setenv("VITRINE_RANKER_PORT", str(part.port))
    await is_well("network.ports")


async def test_in_a_container_nobody_reaches_127_0_0_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    await is_well("network.listening", _root(tmp_path / "machine"))
    inside = _root(tmp_path / "container", **{"-dockerenv": ""})
    await tells("network.listening", Verdict.WARNING, "listen on 127.0.0.1", examined=inside)
    for name in ("GATEWAY", "EMBEDDER", "RETRIEVER", "RANKER"):
        monkeypatch.setenv(f"VITRINE_{name}_HOST", "0.0.0.0")
    await is_well("network.listening", inside)


async def test_names_that_are_not_known_and_localhost_that_is_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    await is_well("network.names")
    monkeypatch.setenv("VITRINE_GATEWAY_EMBEDDER_TARGET", "dns:///embedder..svc:50052")
    await tells("network.names", Verdict.PROBLEM, "embedder..svc", "VITRINE_GATEWAY_EMBEDDER_TARGET")
    monkeypatch.setenv("VITRINE_GATEWAY_EMBEDDER_TARGET", "localhost:50052")
    found = [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, 50052, 0, 0)) for address in ("::1", "127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_wanted, **_named: found)
    await tells("network.names", Verdict.WARNING, "localhost is ::1 first", "write 127.0.0.1")


async def test_an_image_of_one_service_lacks_what_the_others_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(**_named: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setattr(
        packages, "_installed", lambda name, of=packages._installed: None if name == "pyarrow" else of(name)
    )
    monkeypatch.setattr(tempfile, "TemporaryFile", read_only)
    monkeypatch.chdir(tmp_path)
    outside, inside = _root(tmp_path / "machine"), _root(tmp_path / "container", **{"-dockerenv": ""})
    for examined, verdict in ((outside, Verdict.PROBLEM), (inside, Verdict.WARNING)):
        await tells("packages.versions", verdict, "pyarrow", examined=examined)
        await tells("models.bundles", verdict, "no bundle at", "VITRINE_RANKER_BUNDLE", examined=examined)
        await tells("folders.writable", verdict, "VITRINE_INGEST_STATE_DIR", examined=examined)
    # What is set is this part's own.
    await tells("folders.writable", Verdict.PROBLEM, "VITRINE_RETRIEVER_DATA_DIR", examined=inside)
