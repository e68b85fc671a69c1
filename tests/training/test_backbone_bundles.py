"""Every backbone family goes through training, export and serving, and is served as it was trained."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.processors import TemplateProcessing
from torch import Tensor, nn
from transformers import BertConfig, GPT2Config, PretrainedConfig, RobertaConfig, T5Config, XLMRobertaConfig

from services.embedder.engine import EmbedderEngine
from services.embedder.settings import EmbedderSettings
from services.ranker.engine import RankerEngine
from services.ranker.settings import RankerSettings
from tests.training.tiny import write_tokenizer
from training.backbones import BackboneEncoder, BackboneRanker, build_backbone
from training.bases import Base, load_base, make_base
from training.bundles import TrainedBackbone, write_embedder, write_ranker
from training.cross_encoder import pad_pairs, pair_row
from training.encoder import encode, pad_batch, tokenize
from training.optimisation import Schedule, optimise
from training.run_folder import RunFolder
from training.vocabulary import trim
from vitrine.bundle import Bundle, Calibration
from vitrine.compute import ComputeBudget
from vitrine.deadline import Deadline
from vitrine.ports import InputType, RankCandidate

_SMALL = {"vocab_size": 64, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
_BERT = {**_SMALL, "intermediate_size": 32, "pad_token_id": 1, "max_position_embeddings": 66}
_CONFIGS: dict[str, PretrainedConfig] = {
    "bert": BertConfig(**_BERT),
    "roberta": RobertaConfig(**_BERT, bos_token_id=0, eos_token_id=2),
    "xlm-roberta": XLMRobertaConfig(**_BERT, bos_token_id=0, eos_token_id=2),
    "gpt": GPT2Config(
        vocab_size=64, n_embd=16, n_layer=1, n_head=2, n_positions=64, bos_token_id=2, eos_token_id=2, pad_token_id=1
    ),
    "t5": T5Config(
        vocab_size=64, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2, pad_token_id=1, eos_token_id=2
    ),
}
_TEXTS = ["red phone case", "blue", "手机 红色 phone", "red case phone blue case phone red"]
_PROMPTS = {"query": "? ", "document": ""}


@pytest.fixture(params=sorted(_CONFIGS))
def base(request: pytest.FixtureRequest, tmp_path: Path) -> Base:
    family: str = request.param
    torch.manual_seed(0)
    tokenizer = trim(write_tokenizer(tmp_path), ["red blue phone case 手机 红色"]).tokenizer()
    if family == "gpt":
        tokenizer = Tokenizer.from_str(json.dumps(json.loads(tokenizer.to_str()) | {"post_processor": None}))
    if family == "t5":
        tokenizer.post_processor = TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 2)])
    return make_base(build_backbone(_CONFIGS[family]), tokenizer, source=family, prompts=_PROMPTS)


def _fit(model: nn.Module, loss_of: Callable[[int], Tensor], folder: Path) -> tuple[float, float]:
    with torch.no_grad():
        before = float(loss_of(0))
    optimise("fit", model, range(8), loss_of, Schedule(1e-2), RunFolder(folder, "test", {}))
    model.eval()
    with torch.no_grad():
        return before, float(loss_of(0))


def _lineage_is_plain(bundle: Bundle, int8: bool) -> None:
    lineage = bundle.manifest.lineage
    assert lineage["precision"] == "float32" or int8
    assert ("not_int8_because" in lineage) is (int8 and lineage["precision"] == "float32")
    assert ("model.safetensors" in bundle.manifest.files) is (lineage["precision"] == "float32")


@pytest.mark.parametrize("int8", [False, True])
async def test_an_embedder_is_served_as_it_was_trained(tmp_path: Path, base: Base, int8: bool) -> None:
    encoder = BackboneEncoder(base.model, base.pooling)
    rows = tokenize(base.tokenizer, _TEXTS, 64)

    def loss_of(_: int) -> Tensor:
        vectors = encoder(*pad_batch(rows, base.pad_id))
        return nn.functional.cross_entropy(vectors[:2] @ vectors[2:].T / 0.5, torch.arange(2, device=vectors.device))

    before, after = _fit(encoder, loss_of, tmp_path / "run")
    assert after < before
    trained = TrainedBackbone(encoder, base.tokenizer, base.pad_id, {"base": "tiny"}, {})
    bundle = write_embedder(tmp_path / "e", trained, "tiny", "1", base.prompts, int8)
    _lineage_is_plain(bundle, int8)
    assert (bundle.manifest.pooling, bundle.manifest.pad_id) == (base.pooling, base.pad_id)
    expected = encode(encoder, tokenize(base.tokenizer, ["? " + text for text in _TEXTS], 64), base.pad_id)
    budget = ComputeBudget(threads=1)
    engine = await EmbedderEngine.open(EmbedderSettings(bundle=tmp_path / "e"), budget)
    try:
        await engine.self_test()
        deadline = Deadline.after(60)
        together = await engine.embed(_TEXTS, input_type=InputType.QUERY, deadline=deadline)
        alone = await engine.embed(_TEXTS[:1], input_type=InputType.QUERY, deadline=deadline)
    finally:
        await engine.close()
    assert (together.vectors * expected).sum(axis=1).min() >= (
        0.98 if bundle.manifest.lineage["precision"] == "int8" else 0.99999
    )
    assert float(together.vectors[0] @ alone.vectors[0]) >= 0.9999


@pytest.mark.parametrize("int8", [False, True])
async def test_a_ranker_is_served_as_it_was_trained(tmp_path: Path, base: Base, int8: bool) -> None:
    ranker = BackboneRanker(base.model, base.head, base.pooling)
    query, *products = tokenize(base.tokenizer, _TEXTS, 64)
    pairs = [pair_row(query, product, 64, base.opening) for product in products]

    def loss_of(_: int) -> Tensor:
        logits = ranker(*pad_pairs(pairs, base.pad_id))
        goals = torch.tensor([0.0, 0.2, 1.0], device=logits.device)
        return nn.functional.binary_cross_entropy_with_logits(logits, goals)

    before, after = _fit(ranker, loss_of, tmp_path / "run")
    assert after < before
    trained = TrainedBackbone(ranker, base.tokenizer, base.pad_id, {"base": "tiny"}, {})
    calibration = Calibration(scale=2.0, bias=-1.0, evidence={"logit": 1.0, "dense": 0.5, "lexical": 0.1})
    bundle = write_ranker(tmp_path / "r", trained, "tiny", "1", calibration, int8)
    _lineage_is_plain(bundle, int8)
    with torch.inference_mode():
        expected = ranker(*pad_pairs(pairs, base.pad_id)).numpy()
    engine = await RankerEngine.open(RankerSettings(bundle=tmp_path / "r"), ComputeBudget(threads=1))
    try:
        await engine.self_test()
        candidates = [RankCandidate(str(at), text) for at, text in enumerate(_TEXTS[1:])]
        ranking = await engine.rank(_TEXTS[0], candidates, deadline=Deadline.after(60))
    finally:
        await engine.close()
    logits = [one.logit for one in sorted(ranking.ranked, key=lambda one: one.index)]
    precise = bundle.manifest.lineage["precision"] == "float32"
    np.testing.assert_allclose(logits, expected, atol=1e-4 if precise else 0.1)


async def test_a_float32_bundle_of_any_family_is_a_base_again(tmp_path: Path, base: Base) -> None:
    ranker = BackboneRanker(base.model, base.head, base.pooling)
    trained = TrainedBackbone(ranker, base.tokenizer, base.pad_id, {"base": "tiny"}, {})
    calibration = Calibration(scale=1.0, bias=0.0, evidence={"logit": 1.0})
    await asyncio.to_thread(write_ranker, tmp_path / "r", trained, "tiny", "1", calibration, False)
    again = load_base(str(tmp_path / "r"))
    assert (again.pooling, again.pad_id, sorted(again.head)) == (base.pooling, base.pad_id, sorted(ranker.head()))
    pairs = [([5, 6, 2, 7, 2], [0, 0, 0, 1, 1])]
    with torch.inference_mode():
        expected = ranker.eval()(*pad_pairs(pairs, 1))
        given = BackboneRanker(again.model, again.head, again.pooling).eval()(*pad_pairs(pairs, 1))
    torch.testing.assert_close(given, expected, rtol=0, atol=1e-6)
