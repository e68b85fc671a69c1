"""Models on this machine: present, whole, of the right kind, and made for one another."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

from cli.doctor.check import check
from cli.doctor.findings import Finding, ok, problem, warning
from cli.doctor.machine import Machine
from gateway.recommendation.settings import RecommendationSettings
from services.embedder.settings import EmbedderSettings
from services.ranker.settings import RankerSettings
from services.retriever.settings import RetrieverSettings
from vitrine.bundle import BundleKind, load_bundle
from vitrine.errors import FailedPrecondition
from vitrine.recommender_bundle import load_recommender


@check("models.bundles", "machine", tells="each bundle is there, of the right kind, and every file matches its SHA-256")
async def bundles(machine: Machine) -> AsyncIterator[Finding]:
    """The embedders' and rankers' folders, as the services read them at their start."""
    embedder, ranker = EmbedderSettings(), RankerSettings()
    named: list[tuple[str, Path, BundleKind]] = [
        ("VITRINE_EMBEDDER_BUNDLE", embedder.bundle, "embedder"),
        *(("VITRINE_EMBEDDER_FURTHER_BUNDLES", Path(one), "embedder") for one in embedder.further_bundles),
        ("VITRINE_RANKER_BUNDLE", ranker.bundle, "ranker"),
        *(("VITRINE_RANKER_FURTHER_BUNDLES", Path(one), "ranker") for one in ranker.further_bundles),
    ]
    for variable, folder, kind in named:
        try:
            manifest = (await asyncio.to_thread(load_bundle, folder, kind)).manifest
        except FailedPrecondition as error:
            seen, _, todo = error.message.partition("; ")
            # An image of one service has not the models of another.
            of_another = machine.in_container and variable not in os.environ and not folder.exists()
            made = warning if of_another else problem
            yield made(seen, f"{todo or 'name a bundle of that kind'} ({variable})")
        else:
            yield ok(f"{folder}: {manifest.name} {manifest.version}, {manifest.digest[:19]}…")


@check(
    "models.recommenders",
    "machine",
    tells="embedder, retriever and gateway have one recommender, made for this embedder",
)
async def recommenders(_machine: Machine) -> AsyncIterator[Finding]:
    """The three settings, and the digests in the bundle."""
    places = {
        "VITRINE_EMBEDDER_RECOMMENDER": EmbedderSettings().recommender,
        "VITRINE_RETRIEVER_RECOMMENDER": RetrieverSettings().recommender,
        "VITRINE_RECOMMENDATION_BUNDLE": RecommendationSettings().bundle,
    }
    if not any(places.values()):
        yield ok("no recommender is set: HOME goes by popularity and the texts of what was seen")
        return
    digests: dict[str, str] = {}
    for variable, folder in places.items():
        if not folder:
            yield warning(
                f"{variable} is empty, and others are set", f"set {variable} to the same bundle (or use --recommender)"
            )
            continue
        try:
            bundle = await asyncio.to_thread(load_recommender, Path(folder))
            digests[variable] = bundle.manifest.digest
            bundle.require_embedder(load_bundle(EmbedderSettings().bundle, "embedder").manifest.digest)
        except FailedPrecondition as error:
            yield problem(error.message, f"set {variable} to a bundle that was trained with this embedder")
    if len(set(digests.values())) > 1:
        said = ", ".join(f"{variable} {digest[:19]}…" for variable, digest in digests.items())
        yield problem(f"the recommenders differ: {said}", "set all three to copies of one bundle")
    elif digests:
        yield ok(f"one recommender: {next(iter(digests.values()))[:19]}…")
