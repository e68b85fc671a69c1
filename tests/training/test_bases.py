"""What a training step can start from: every source, what its digest tells, and what ships given back."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers import BertModel, GPT2Config, PretrainedConfig, RobertaConfig, T5Config

from tests.training.tiny import bert_tensors, write_tokenizer
from training.backbones import BackboneEncoder, BackboneRanker, build_backbone
from training.bases import Base, load_base, make_base, save_base
from training.bundles import Trained, write_embedder
from training.cross_encoder import pad_pairs, pair_row
from training.encoder import build_bert, encode, pad_batch, tokenize
from training.errors import TrainingError
from training.onnx_bert import write_embedder_onnx
from training.onnx_weights import read_onnx_bert
from training.quantize import quantize
from training.vocabulary import Trimmed, trim
from vitrine.bundle import BundleKind, load_bundle
from vitrine.compute import ComputeBudget
from vitrine.inference import load_session

_MODELS = Path(__file__).parents[2] / "models"
_TEXTS = [
    "apple iphone 15 pro 256 gb black",
    "红色 连衣裙 夏季 新款",
    "hp 27 inch monitor ips 4k",
    "usb-c cable 2m",
    "运动鞋 男 透气",
    "sony wh-1000xm4 wireless headphones",
]
_SHAPES = {
    "roberta": RobertaConfig(
        vocab_size=60, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    ),
    "gpt": GPT2Config(vocab_size=60, n_embd=16, n_layer=1, n_head=2, n_positions=64, eos_token_id=2),
    "t5": T5Config(vocab_size=60, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2),
}


@pytest.fixture
def trimmed(tmp_path: Path) -> Trimmed:
    return trim(write_tokenizer(tmp_path), ["red blue phone case 手机"])


def _folder(folder: Path, config: PretrainedConfig, tokenizer: Tokenizer) -> Path:
    torch.manual_seed(0)
    build_backbone(config).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def _vectors(base: Base) -> np.ndarray:
    rows = tokenize(base.tokenizer, ["red phone", "blue case 手机"], 32)
    return encode(BackboneEncoder(base.model, base.pooling), rows, base.pad_id)


@pytest.mark.parametrize("family", sorted(_SHAPES))
def test_a_folder_is_loaded_saved_and_loaded_again(tmp_path: Path, trimmed: Trimmed, family: str) -> None:
    base = load_base(str(_folder(tmp_path / "base", _SHAPES[family], trimmed.tokenizer())))
    assert base.pooling == ("last" if family == "gpt" else "mean")
    saved = tmp_path / "saved"
    save_base(base, saved)
    again = load_base(str(saved))
    assert (again.digest, again.prompts, again.pooling, again.lineage) == (
        base.digest,
        base.prompts,
        base.pooling,
        base.lineage,
    )
    np.testing.assert_array_equal(_vectors(again), _vectors(base))
    with torch.no_grad():
        again.model.get_input_embeddings().weight[5] += 1e-3
    assert make_base(again.model, again.tokenizer, source="changed").digest != base.digest


def test_texts_end_with_a_token_of_their_own_whatever_the_tokenizer(tmp_path: Path, trimmed: Trimmed) -> None:
    plain = trimmed.tokenizer()
    ends = plain.token_to_id("</s>")
    plain.post_processor = None
    base = load_base(str(_folder(tmp_path / "gpt", _SHAPES["gpt"], plain)))
    assert base.tokenizer.encode("").ids == [ends]
    assert base.tokenizer.encode("red").ids[-1] == ends
    with pytest.raises(TrainingError, match="puts 0 special tokens"):
        load_base(
            str(
                _folder(
                    tmp_path / "none",
                    RobertaConfig.from_dict(_SHAPES["roberta"].to_dict() | {"eos_token_id": None}),
                    plain,
                )
            )
        )


def test_bundles_of_both_precisions_give_their_weights_back(tmp_path: Path, trimmed: Trimmed) -> None:
    tensors = bert_tensors(len(trimmed.pieces))
    trained = Trained(tensors, 4, 1e-12, trimmed.tokenizer_json, {"base": "tiny"}, {})
    prompts = {"query": "? ", "document": ""}
    expected = _vectors(make_base(build_bert(tensors, 4, 1), trimmed.tokenizer(), source="tiny"))
    for int8, least in ((False, 0.999999), (True, 0.999)):
        write_embedder(tmp_path / "e", trained, "tiny", "1", prompts, int8=int8)
        base = load_base(str(tmp_path / "e"))
        assert base.prompts == prompts
        assert base.lineage["before"]["base"] == "tiny"
        assert ((_vectors(base) * expected).sum(axis=1) > least).all()


def test_the_embedder_that_ships_is_given_back(tmp_path: Path) -> None:
    """Its weights come back exactly (quantised again, they are the same model); serving rounds activations as well."""
    base = load_base(str(_MODELS / "embedder"))
    rows = tokenize(base.tokenizer, _TEXTS, 64)
    served = _served(_MODELS / "embedder", "embedder", rows)
    vectors = encode(BackboneEncoder(base.model, base.pooling), rows, base.pad_id)
    assert (vectors * served).sum(axis=1).min() >= 0.995
    tensors = {name: values.numpy() for name, values in base.model.state_dict().items()}
    tensors["embeddings.word_embeddings.weight"] = tensors["embeddings.word_embeddings.weight"][:2_000]
    write_embedder_onnx(
        tensors, base.model.config.num_attention_heads, base.model.config.layer_norm_eps, tmp_path / "f"
    )
    quantize(tmp_path / "f", tmp_path / "model.onnx")
    again = read_onnx_bert(tmp_path / "model.onnx").tensors
    for name, values in tensors.items():
        np.testing.assert_allclose(again[name], values, rtol=1e-5, atol=1e-8, err_msg=name)


def test_the_ranker_that_ships_is_given_back() -> None:
    base = load_base(str(_MODELS / "ranker"))
    model = BackboneRanker(base.model, base.head, base.pooling).eval()
    rows = tokenize(base.tokenizer, _TEXTS, 64)
    pairs = [pair_row(rows[0], row, 64) for row in rows] + [pair_row(rows[1], row, 64) for row in rows]
    with torch.inference_mode():
        logits = model(*pad_pairs(pairs, base.pad_id)).numpy()
    ids, types = zip(*pairs, strict=True)
    served = _served(_MODELS / "ranker", "ranker", ids, types)
    assert np.corrcoef(logits, served.reshape(-1))[0, 1] >= 0.999


def _served(
    folder: Path, kind: BundleKind, ids: Sequence[list[int]], types: Sequence[list[int]] | None = None
) -> np.ndarray:
    outputs = load_session(load_bundle(folder, kind), ComputeBudget(threads=1)).run(ids, types)
    return np.stack([np.asarray(output, dtype=np.float32) for output in outputs])


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("packaged:bge", "packaged:e5 or packaged:minilm"),
        ("./nowhere", "there is no such folder"),
        ("someone/model", "needs --revision"),
    ],
)
def test_unknown_sources_are_one_clear_line(source: str, says: str) -> None:
    with pytest.raises(TrainingError, match=says) as caught:
        load_base(source, revision="main")
    assert "\n" not in str(caught.value)


def test_damaged_bases_are_refused(tmp_path: Path, trimmed: Trimmed) -> None:
    folder = _folder(tmp_path / "base", _SHAPES["roberta"], trimmed.tokenizer())
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-200])
    with pytest.raises(TrainingError, match="backbone"):
        load_base(str(folder))
    weights.write_bytes(whole)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(TrainingError, match=r"tokenizer\.json does not exist"):
        load_base(str(folder))
    BertModel(build_bert(bert_tensors(60, hidden=16), 2, 1).config).save_pretrained(tmp_path / "bert")
    config = (folder / "config.json").read_text()
    (tmp_path / "bert" / "config.json").write_text(config)
    with pytest.raises(TrainingError, match="weights lack"):
        load_base(str(tmp_path / "bert"))


def test_a_bundle_that_does_not_match_its_digest_is_refused(tmp_path: Path, trimmed: Trimmed) -> None:
    trained = Trained(bert_tensors(len(trimmed.pieces)), 4, 1e-12, trimmed.tokenizer_json, {}, {})
    write_embedder(tmp_path / "e", trained, "tiny", "1", {"query": "", "document": ""}, int8=True)
    with (tmp_path / "e" / "model.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(TrainingError, match="does not match its digest"):
        load_base(str(tmp_path / "e"))


def test_a_folder_with_other_things_is_not_replaced(tmp_path: Path, trimmed: Trimmed) -> None:
    base = make_base(build_bert(bert_tensors(len(trimmed.pieces)), 4, 1), trimmed.tokenizer(), source="tiny")
    precious = tmp_path / "home" / "thesis.txt"
    precious.parent.mkdir()
    precious.write_text("mine")
    with pytest.raises(TrainingError, match="holds something else"):
        save_base(base, precious.parent)
    assert precious.read_text() == "mine"


def test_a_hugging_face_id_is_read_offline_from_the_cache(
    tmp_path: Path, trimmed: Trimmed, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    folder = tmp_path / "models--shop--tiny" / "snapshots" / commit
    _folder(folder, _SHAPES["roberta"], trimmed.tokenizer())
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    base = load_base("shop/tiny", commit)
    assert base.lineage == {"base": "shop/tiny", "revision": commit}
    assert base.digest == load_base(str(folder)).digest
    with pytest.raises(TrainingError, match="shop/other"):
        load_base("shop/other", commit)


def test_vectors_do_not_depend_on_padding(tmp_path: Path, trimmed: Trimmed) -> None:
    for family, config in _SHAPES.items():
        base = load_base(str(_folder(tmp_path / family, config, trimmed.tokenizer())))
        encoder = BackboneEncoder(base.model, base.pooling).eval()
        short = tokenize(base.tokenizer, ["red phone"], 32)
        with torch.inference_mode():
            alone = encoder(*pad_batch(short, base.pad_id))
            beside = encoder(*pad_batch([*short, list(range(4, 30))], 0))
        torch.testing.assert_close(beside[:1], alone, atol=1e-5, rtol=0)
