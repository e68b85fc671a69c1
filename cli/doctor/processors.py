"""Processors: what they can compute, how many this process may use, and whether anything starts more threads."""

import os
from collections.abc import AsyncIterator

from cli.doctor.check import check
from cli.doctor.findings import Finding, ok, problem, unknown, warning
from cli.doctor.machine import Machine
from services.retriever.settings import RetrieverSettings
from vitrine.compute import cgroup_files, cpu_quotas, thread_quota

# Above it a process waits for its quota so often that its slowest answers are made by that.
_THROTTLED_SHARE = 0.05
_POOLS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@check(
    "processors.instructions", "machine", tells="AVX2, AVX-512 and VNNI (or their like on ARM), which int8 models use"
)
async def instructions(machine: Machine) -> AsyncIterator[Finding]:
    """What /proc/cpuinfo names."""
    file = machine.root / "proc/cpuinfo"
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines() if file.exists() else []
    flags = {flag for line in lines if line.split(":")[0].strip() in ("flags", "Features") for flag in line.split()[1:]}
    dot = sorted(flags & {"avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"})
    if not flags:
        yield unknown(f"{file} names no instruction sets", "ask the maker of the processor for AVX2 or ASIMD")
    elif dot:
        yield ok(f"{', '.join(dot)}: int8 models run at full speed")
    elif "avx2" in flags:
        also = " and AVX-512" if "avx512f" in flags else ""
        yield ok(
            f"AVX2{also} without VNNI: int8 models answer rightly (their weights are of seven bits), slower than they "
            "would with VNNI"
        )
    else:
        yield warning(
            "neither AVX2 nor VNNI: int8 models and FAISS fall back to much slower code",
            "use a processor of x86-64-v3 (2013 or later), and tell the virtual machine to show it as it is",
        )


@check("processors.quota", "machine", tells="the container's CPU quota (cgroup v1, v2), and how often it is met")
async def quota(machine: Machine) -> AsyncIterator[Finding]:
    """Affinity and quota, and the share of periods in which the kernel held this group up."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    least = min(cpu_quotas(machine.root), default=None)
    threads = thread_quota(machine.root)
    if least is None or least >= affinity:
        yield ok(f"{affinity} processors, no smaller quota: each part computes with {threads} threads")
    elif least < 1:
        yield warning(
            f"a quota of {least:g} processors: one thread, held up for {1 - least:.0%} of the time",
            "give it a whole processor at least",
        )
    elif least != threads:
        yield warning(
            f"a quota of {least:g} processors is used by {threads} threads: {least - threads:g} lie idle",
            f"make the quota {threads} or {threads + 1}",
        )
    else:
        yield ok(f"a quota of {least:g} of {affinity} processors: each part computes with {threads} threads")
    for file in cgroup_files(machine.root, "", "cpu.stat") or cgroup_files(machine.root, "cpu", "cpu.stat"):
        stat = dict(line.split() for line in file.read_text().splitlines())
        periods, throttled = int(stat.get("nr_periods", 0)), int(stat.get("nr_throttled", 0))
        if periods and throttled / periods > _THROTTLED_SHARE:
            yield warning(
                f"held up by the quota in {throttled / periods:.0%} of its periods ({file})",
                "raise the CPU limit, or leave it out and keep the request",
            )
        break


@check("processors.threads", "machine", tells="OMP_NUM_THREADS and its like, and the threads that the settings ask for")
async def threads(machine: Machine) -> AsyncIterator[Finding]:
    """Nothing may start more threads than may run."""
    allowed, settings, well = thread_quota(machine.root), RetrieverSettings(), True
    quotas = cpu_quotas(machine.root)
    for name in _POOLS:
        said = os.environ.get(name, "")
        if said and not (said.isdecimal() and int(said)):
            well = False
            yield problem(f"{name} is {said!r}", f"set {name}={allowed}")
        elif said and int(said) > allowed:
            well = False
            yield warning(f"{name} is {said}, and {allowed} threads may run", f"set {name}={allowed}")
    if not os.environ.get("OMP_NUM_THREADS") and quotas and min(quotas) < (os.cpu_count() or 1):
        well = False
        yield warning(
            f"OMP_NUM_THREADS is not set: numpy and torch see {os.cpu_count()} processors and may use {allowed}",
            f"set OMP_NUM_THREADS={allowed}",
        )
    for name, value in {
        "VITRINE_RETRIEVER_THREADS": settings.threads or 0,
        "VITRINE_RETRIEVER_WRITE_PROCESSES": settings.write_processes or 0,
    }.items():
        if value > allowed:
            well = False
            yield warning(f"{name} is {value}, and {allowed} may run at once", f"unset {name}, or set it to {allowed}")
    if well:
        yield ok(
            f"embedder and ranker compute with {allowed} threads, the retriever searches with "
            f"{settings.threads or allowed}; {settings.preparing_processes} processes prepare products"
        )
