"""Memory: what this process may use against what models and vectors take, and whether it ran out before."""

from collections.abc import AsyncIterator
from pathlib import Path

from cli.doctor.catalogue import stored_products
from cli.doctor.check import check
from cli.doctor.findings import Finding, ok, problem, unknown, warning
from cli.doctor.machine import Machine
from services.embedder.settings import EmbedderSettings
from services.ranker.settings import RankerSettings
from services.retriever.index_plan import IndexPlan
from services.retriever.settings import RetrieverSettings
from services.retriever.vector_store import ITEM_BYTES
from vitrine.compute import cgroup_files, memory_limit_bytes

_FULL_SHARE = 0.9


@check(
    "memory.limit",
    "machine",
    tells="the memory limit (cgroup v1, v2) holds the vectors of this catalogue and the models",
)
async def limit(machine: Machine) -> AsyncIterator[Finding]:
    """The limit against the plan of the index, and the files of the models, which are in memory as they are on disk."""
    allowed = memory_limit_bytes(machine.root)
    if allowed is None:
        yield unknown("the system does not say how much memory there is", "run the doctor where the suite will run")
        return
    settings = RetrieverSettings()
    embedder, ranker = EmbedderSettings(), RankerSettings()
    folders = (embedder.bundle, ranker.bundle, *map(Path, (*embedder.further_bundles, *ranker.further_bundles)))
    models = sum(file.stat().st_size for folder in folders if folder.is_dir() for file in folder.iterdir())
    products, dim = stored_products(settings.data_dir)
    plan = IndexPlan.of(settings)
    storage = plan.storage_for(products, dim)
    vectors = round(products * dim * ITEM_BYTES[storage])
    said = f"{_mib(allowed)}; models {_mib(models)}, vectors of {products:,} products {_mib(vectors)} as {storage}"
    if models + vectors > allowed:
        yield problem(
            f"too little memory: {said}", "raise the memory limit, or set VITRINE_RETRIEVER_STORAGE=int8 or pq"
        )
    elif vectors > plan.memory_bytes:
        yield warning(
            f"vectors are planned larger than {_mib(plan.memory_bytes)}, what they may take: {said}",
            "raise VITRINE_RETRIEVER_MEMORY_MB, or set VITRINE_RETRIEVER_STORAGE=auto",
        )
    elif products > plan.exact_rows and settings.storage == "auto" and storage in ("int8", "pq"):
        yield warning(f"memory makes vectors coarser: {said}", "raise the memory limit or VITRINE_RETRIEVER_MEMORY_MB")
    else:
        yield ok(said)


@check("memory.use", "machine", tells="the container is not nearly full, and was not killed for memory (cgroup v2)")
async def use(machine: Machine) -> AsyncIterator[Finding]:
    """memory.current, less the files that may go, and memory.events of the cgroups above this process."""
    well = True
    for file in cgroup_files(machine.root, "", "memory.events"):
        events = dict(line.split() for line in file.read_text().splitlines())
        if killed := int(events.get("oom_kill", 0)):
            well = False
            yield warning(f"{killed} processes were killed for memory here ({file})", "raise the memory limit")
        current, most = file.with_name("memory.current"), file.with_name("memory.max")
        if not (current.is_file() and most.is_file()) or most.read_text().strip() == "max":
            continue
        stat = dict(line.split() for line in file.with_name("memory.stat").read_text().splitlines())
        used, of = int(current.read_text()) - int(stat.get("inactive_file", 0)), int(most.read_text())
        if used > _FULL_SHARE * of:
            well = False
            yield warning(f"{_mib(used)} of {_mib(of)} are in use ({current})", "raise the memory limit")
    if well:
        yield ok("nobody was killed for memory, and no limit is near")


def _mib(count: int) -> str:
    return f"{count / 2**20:,.0f} MiB"
