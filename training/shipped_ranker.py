"""The recipe of the shipped ranker, whole: one call, resumable, from declared inputs and seeds.

Six layers are trained first, on label-free lists; the ranker that ships is distilled from them (`distilled_ranker`).
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch

from training.base_models import packaged_bases
from training.bundles import Trained, write_ranker
from training.cross_encoder import CrossEncoder
from training.distilled_ranker import distil_shipped_ranker
from training.e5_weights import Floats
from training.embedder_training import PROMPTS, EmbedderSettings, served_vectors
from training.encoder import Encoder, build_bert, encode, tokenize
from training.lexical_evidence import lexical_scores
from training.ranker_distillation import DistillationSettings
from training.ranker_lists import LIST_SIZE, Catalogue, RankList, catalogue_lists, made_lists
from training.ranker_training import RankerSettings, calibrate, fit, score_lists
from training.run_folder import RunFolder
from training.shipped_embedder import VERSION, distilled, embedder_encoder, served_documents, shipped_lineage
from training.shop_files import ShopItem, read_icecat, read_litemall, read_vespa
from training.shop_queries import item_queries
from training.student import EPS, HEADS, PAD_ID, Student
from training.teachers import BaseEncoder, ShopText, load_minilm
from training.whole_folder import check_all_replaceable, check_replaceable
from vitrine.bundle import MANIFEST, Bundle, load_bundle
from vitrine.product_text import EMBEDDING_DESCRIPTION_COLUMNS, EMBEDDING_TITLE_COLUMNS
from vitrine.text import normalize_text

_STEPS = (
    "embedder's trim, transplant, distil",
    "cross-encoder on label-free lists",
    "again on lists that MiniLM read",
    "again on served texts, as a correction of the evidence",
    "calibrate",
)


def train_shipped_ranker(
    data_dir: Path,
    out: Path,
    run_dir: Path,
    embedder: Path,
    distillation: DistillationSettings,
    teacher: Callable[[], Path],
    float32_out: Path | None = None,
) -> Bundle:
    """Distil the ranker bundle that `teacher` gives, or makes first, and write the int8 bundle to `out`.

    The bundle `embedder` tells which products are near a query. `float32_out` takes the same weights before int8.
    """
    check_all_replaceable(MANIFEST, out, float32_out)
    load_bundle(embedder, "embedder")
    run = run_dir / "distillation"
    return distil_shipped_ranker(data_dir, teacher(), embedder, out, run, distillation, float32_out)


def six_layer_ranker(
    data_dir: Path, run_dir: Path, embedder_run_dir: Path, settings: RankerSettings, embedder: EmbedderSettings
) -> Path:
    """The bundle of six layers in the run folder; made unless it is there.

    Makes lists, trains the distilled embedder's body as cross-encoder on them, calibrates. The embedder's run folder
    gives the body and, finished, the dense evidence; its steps are run first when it does not hold them yet.
    """
    run = RunFolder(run_dir, "shipped-ranker", asdict(settings))
    out = run_dir / "six-layers"
    if (out / MANIFEST).is_file():
        return load_bundle(out, "ranker").folder
    check_replaceable(out, MANIFEST)
    embedder_run = RunFolder(embedder_run_dir, "shipped-embedder", asdict(embedder))
    student, encoder, texts, targets = distilled(data_dir, embedder_run, embedder)
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
    fit("rank", model, student, lists[: -settings.aside], settings, run)
    for number, again in enumerate(rounds, 1):
        fit(f"rank-reading-{number}", model, student, again, settings, run)
    encoder = embedder_encoder(data_dir, embedder_run, embedder)[1]
    served = served_lists(data_dir, embedder_run, embedder, settings, minilm)
    learned = served[: -settings.aside]
    fit(
        "rank-served",
        model,
        student,
        learned,
        replace(settings, target_temperature=settings.served_temperature),
        run,
        list_evidence(encoder, student, learned, settings, run),
    )
    model.eval()
    aside = lists[-settings.aside :] + served[-settings.aside :]
    logits = score_lists(model, student, aside, settings)
    dense, lexical = _dense_scores(encoder, student, aside, settings), _lexical_scores(aside)
    calibration = calibrate(aside, logits, dense, lexical, settings)
    lineage = {
        **shipped_lineage(_STEPS, asdict(settings)),
        "lists": len(lists) + sum(map(len, rounds)) + len(served) - len(aside),
        "list_size": LIST_SIZE,
    }
    trained = Trained(model.tensors(), HEADS, EPS, student.tokenizer_json, lineage, {})
    return write_ranker(out, trained, "vitrine-ranker", VERSION, calibration, int8=True).folder


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


def served_lists(
    data_dir: Path, embedder_run: RunFolder, embedder: EmbedderSettings, settings: RankerSettings, reader: BaseEncoder
) -> list[RankList]:
    """Lists of the English shops' products, judged by MiniLM on what serving embeds, and Chinese and made lists."""
    rng = random.Random(settings.seed + 100)
    vectors = served_vectors(embedder_run, embedder)
    row_of = {text: row for row, text in enumerate(served_documents(data_dir, embedder))}
    lists = made_lists(rng, settings.served_made)
    columns = (EMBEDDING_TITLE_COLUMNS, EMBEDDING_DESCRIPTION_COLUMNS)
    for read, count in ((read_icecat, settings.served_icecat), (read_vespa, settings.served_vespa)):
        seen = [
            (item, row)
            for item in read(data_dir)
            if (row := row_of.get(ShopText(item.words(columns), False))) is not None
        ]
        catalogue = Catalogue([item for item, _ in seen], vectors[[row for _, row in seen]])
        sources = [rng.randrange(len(seen)) for _ in range(count)]
        queries = [(query, source) for source in sources for query in item_queries(catalogue.items[source], rng, 1)]
        asked = reader.vectors([ShopText(query, True) for query, _ in queries])
        lists += catalogue_lists(catalogue, queries, asked, rng, word_weight=settings.served_words)
    rng.shuffle(lists)
    return lists


def list_evidence(
    encoder: Encoder, student: Student, lists: Sequence[RankList], settings: RankerSettings, run: RunFolder
) -> Floats:
    """What the final score adds to the logit's share, of every candidate in order (n,): dense and lexical, weighted."""

    def make() -> dict[str, Floats]:
        dense = _dense_scores(encoder, student, lists, settings)
        return {"evidence": dense + settings.served_words * _lexical_scores(lists)}

    return run.arrays("served-evidence", make)["evidence"]


def _lexical_scores(lists: Sequence[RankList]) -> Floats:
    return np.concatenate([lexical_scores(ranked.query, ranked.documents) for ranked in lists])


def _dense_scores(encoder: Encoder, student: Student, lists: Sequence[RankList], settings: RankerSettings) -> Floats:
    """Cosines (n,) of every candidate with its query, in order."""
    tokenizer = student.tokenizer()
    rows = tokenize(tokenizer, [PROMPTS["query"] + ranked.query for ranked in lists], settings.max_tokens)
    queries = encode(encoder, rows, PAD_ID)
    place = {text: at for at, text in enumerate(dict.fromkeys(text for one in lists for text in one.documents))}
    products = encode(encoder, tokenize(tokenizer, list(place), settings.max_tokens), PAD_ID)
    owners = [index for index, ranked in enumerate(lists) for _ in ranked.documents]
    shown = [place[text] for ranked in lists for text in ranked.documents]
    cosines: Floats = (queries[owners] * products[shown]).sum(axis=1)
    return cosines
