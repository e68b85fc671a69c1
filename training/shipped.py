"""The recipes of the two shipped bundles, whole: one call each, resumable, from declared inputs and seeds."""

import random
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from training.base_models import BaseFiles, packaged_bases
from training.bundles import Trained, write_embedder, write_ranker
from training.cross_encoder import CrossEncoder
from training.distil_texts import distil_texts
from training.e5_weights import Floats
from training.embedder_training import (
    PROMPTS,
    EmbedderSettings,
    average,
    contrast,
    contrast_pairs,
    distil,
    second_round,
    teacher_targets,
)
from training.encoder import Encoder, build_bert, encode, tokenize
from training.lexical_evidence import lexical_scores
from training.ranker_lists import LIST_SIZE, Catalogue, RankList, catalogue_lists, made_lists
from training.ranker_training import RankerSettings, calibrate, fit, score_lists
from training.run_folder import RunFolder
from training.shop_files import ShopItem, read_icecat, read_litemall, read_vespa, read_vocabulary_texts
from training.shop_queries import item_queries
from training.student import EPS, HEADS, PAD_ID, Student, make_student
from training.teachers import BaseEncoder, ShopText, load_minilm
from vitrine.bundle import Bundle
from vitrine.text import normalize_text

VERSION = "1.0.0"
_BASE = "all-MiniLM-L6-v2 body under multilingual-e5-small's trimmed vocabulary"
_DATA = ["icecat products", "vespa products", "litemall", "online retail descriptions", "made bilingual products"]


def train_shipped_embedder(data_dir: Path, out: Path, run_dir: Path, settings: EmbedderSettings) -> Bundle:
    """Transplant, distil, contrast, average; write the int8 bundle to `out`. Resumes what `run_dir` holds."""
    run = RunFolder(run_dir, "shipped-embedder", asdict(settings))
    student, encoder, texts, targets = distilled(data_dir, run, settings)
    again = second_round(texts, settings)
    distil("distil-chinese", encoder, student, [texts[row] for row in again], targets[again], settings, run)
    before = {name: values.clone() for name, values in encoder.state_dict().items()}
    contrast(encoder, student, contrast_pairs(data_dir, settings), settings, run)
    final = average(before, encoder.state_dict(), settings.after_share)
    tensors = {name.removeprefix("bert."): values.numpy() for name, values in final.items()}
    steps = ["trim", "transplant", "distil", "distil Chinese again", "contrast", "average", "int8"]
    trained = Trained(tensors, HEADS, EPS, student.tokenizer_json, _lineage(_BASE, steps, settings), {})
    return write_embedder(out, trained, "vitrine-embedder", VERSION, PROMPTS, int8=True)


def train_shipped_ranker(
    data_dir: Path,
    out: Path,
    run_dir: Path,
    embedder_run_dir: Path,
    settings: RankerSettings,
    embedder: EmbedderSettings,
) -> Bundle:
    """Make lists, train the distilled embedder's body as cross-encoder on them, calibrate, write the bundle to `out`.

    The embedder's run folder gives the body; its steps are run first when it does not hold them yet.
    """
    run = RunFolder(run_dir, "shipped-ranker", asdict(settings))
    student, encoder, texts, targets = distilled(
        data_dir, RunFolder(embedder_run_dir, "shipped-embedder", asdict(embedder)), embedder
    )
    lists = ranker_lists(data_dir, encoder, student, texts, targets, settings)
    minilm = load_minilm(packaged_bases())
    rounds = [
        ranker_lists(data_dir, encoder, student, texts, targets, replace(settings, seed=settings.seed + number), minilm)
        for number in range(1, settings.reading_rounds + 1)
    ]
    torch.manual_seed(settings.seed)
    body = {name.removeprefix("bert."): values.numpy().copy() for name, values in encoder.state_dict().items()}
    bert = build_bert(body, HEADS, PAD_ID, EPS, dropout=settings.dropout)
    bert.embeddings.word_embeddings.weight.requires_grad_(False)
    model = CrossEncoder(bert)
    learned, aside = lists[: -settings.aside], lists[-settings.aside :]
    fit("rank", model, student, learned, settings, run)
    for number, again in enumerate(rounds, 1):
        fit(f"rank-reading-{number}", model, student, again, settings, run)
    model.eval()
    logits = score_lists(model, student, aside, settings)
    lexical = np.concatenate([lexical_scores(ranked.query, ranked.documents) for ranked in aside])
    calibration = calibrate(aside, logits, _dense_scores(encoder, student, aside, settings), lexical, settings)
    steps = [
        "embedder's trim, transplant, distil",
        "cross-encoder on label-free lists",
        "again on lists that MiniLM read",
        "calibrate",
        "int8",
    ]
    lineage = {
        **_lineage(_BASE, steps, settings),
        "lists": len(learned) + sum(map(len, rounds)),
        "list_size": LIST_SIZE,
    }
    trained = Trained(model.tensors(), HEADS, EPS, student.tokenizer_json, lineage, {})
    return write_ranker(out, trained, "vitrine-ranker", VERSION, calibration, int8=True)


def distilled(
    data_dir: Path, run: RunFolder, settings: EmbedderSettings
) -> tuple[Student, Encoder, list[ShopText], Floats]:
    """The student after distillation, with the texts and target vectors (n, d) that it learned; all resumable."""
    torch.manual_seed(settings.seed)
    bases: BaseFiles = packaged_bases()
    student = make_student(bases, map(normalize_text, read_vocabulary_texts(data_dir)), run)
    rows = run.json("texts", lambda: [[t.text, t.is_query] for t in distil_texts(data_dir, settings.seed)])
    texts = [ShopText(text, is_query) for text, is_query in rows]
    targets = teacher_targets(bases, texts, settings, run)
    encoder = Encoder(build_bert(student.tensors, HEADS, PAD_ID, EPS))
    distil("distil", encoder, student, texts, targets, settings, run)
    return student, encoder, texts, targets


def ranker_lists(
    data_dir: Path,
    encoder: Encoder,
    student: Student,
    texts: Sequence[ShopText],
    targets: Floats,
    settings: RankerSettings,
    reader: BaseEncoder | None = None,
) -> list[RankList]:
    """Catalogue lists of the "may train" shops and made lists, in one shuffled order per seed.

    A `reader` judges the English shops' lists by title and description; without one their titles' vectors do.
    """

    def read_again(query: str, products: Sequence[str]) -> Floats:
        assert reader is not None
        vectors = reader.vectors([ShopText(query, True), *(ShopText(text, False) for text in products)])
        similarities: Floats = vectors[1:] @ vectors[0]
        return similarities

    rng = random.Random(settings.seed)
    row_of = {text: row for row, text in enumerate(texts)}
    lists = made_lists(rng, settings.made_lists)
    shares = (
        (read_icecat, settings.icecat_lists),
        (read_vespa, settings.vespa_lists),
        (read_litemall, settings.litemall_lists),
    )
    for read, count in shares:
        catalogue = _catalogue(read(data_dir), row_of, targets)
        sources = [rng.randrange(len(catalogue.items)) for _ in range(count)]
        queries = [(query, source) for source in sources for query in item_queries(catalogue.items[source], rng, 1)]
        vectors = _query_vectors([query for query, _ in queries], row_of, targets, encoder, student)
        english = reader is not None and read is not read_litemall
        lists += catalogue_lists(catalogue, queries, vectors, rng, read_again if english else None)
    rng.shuffle(lists)
    return lists


def _catalogue(items: Sequence[ShopItem], row_of: dict[ShopText, int], targets: Floats) -> Catalogue:
    """The items whose titles the teachers have seen."""
    seen = [
        (item, row)
        for item in items
        if (row := row_of.get(ShopText(normalize_text(item.title)[:160], False))) is not None
    ]
    return Catalogue([item for item, _ in seen], targets[[row for _, row in seen]])


def _query_vectors(
    queries: Sequence[str], row_of: dict[ShopText, int], targets: Floats, encoder: Encoder, student: Student
) -> Floats:
    """The teachers' vectors where they have seen the query, else the distilled student's."""
    rows = tokenize(student.tokenizer(), [PROMPTS["query"] + query for query in queries], 40)
    vectors = encode(encoder, rows, PAD_ID)
    for at, query in enumerate(queries):
        if (row := row_of.get(ShopText(query, True))) is not None:
            vectors[at] = targets[row]
    return vectors


def _dense_scores(encoder: Encoder, student: Student, lists: Sequence[RankList], settings: RankerSettings) -> Floats:
    """Cosines of every candidate with its query, in order."""
    tokenizer = student.tokenizer()
    queries = encode(
        encoder, tokenize(tokenizer, [PROMPTS["query"] + ranked.query for ranked in lists], settings.max_tokens), PAD_ID
    )
    texts = [text for ranked in lists for text in ranked.documents]
    products = encode(encoder, tokenize(tokenizer, texts, settings.max_tokens), PAD_ID)
    owners = [index for index, ranked in enumerate(lists) for _ in ranked.documents]
    cosines: Floats = (queries[owners] * products).sum(axis=1)
    return cosines


def _lineage(base: str, steps: list[str], settings: EmbedderSettings | RankerSettings) -> dict[str, Any]:
    return {"base": base, "steps": steps, "settings": asdict(settings), "data": _DATA}
