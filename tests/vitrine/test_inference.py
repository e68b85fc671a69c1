"""Sessions of both runtimes: real BERTs, made on the spot, and the embedder that ships."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from prometheus_client import REGISTRY

from vitrine.bundle import Bundle, Manifest, load_bundle, write_bundle
from vitrine.compute import ComputeBudget
from vitrine.errors import FailedPrecondition, Internal
from vitrine.inference import Runtime, Session, attention_mask, load_session, padded
from vitrine.tokenization import Tokenizer
from vitrine.vectors import FloatArray

SHIPPED = Path("models/embedder")
TEXTS = [
    "智能手表 防水 男士",
    "wireless noise cancelling headphones",
    "iphone 15 pro max 256gb 手机壳 透明 防摔",
    "red dress for women summer",
    "apple usb-c charger 20w",
    "无线蓝牙耳机 降噪 长续航 适用于华为苹果",
    "sony wh-1000xm5",
    "usb c cable 2m",
]


def vectors(session: Session, rows: Sequence[Sequence[int]]) -> FloatArray:
    outputs = session.run(rows)
    assert not any(isinstance(output, Internal) for output in outputs)
    return np.stack([np.asarray(output) for output in outputs])


@pytest.fixture(scope="module")
def tiny(make_embedder_bundle: Any) -> Bundle:
    return load_bundle(make_embedder_bundle(), "embedder")


def open_session(bundle: Bundle, runtime: Runtime = "onnxruntime") -> Session:
    return load_session(bundle, ComputeBudget(threads=1), runtime)


def test_rows_are_padded_and_masked() -> None:
    assert padded([[5, 6, 7], [8]]).tolist() == [[5, 6, 7], [8, 0, 0]]
    assert attention_mask([[5, 6, 7], [8]]).tolist() == [[1, 1, 1], [1, 0, 0]]


@pytest.mark.parametrize("runtime", ["onnxruntime", "torch"])
def test_vectors_are_normalised_and_the_same_in_any_company(tiny: Bundle, runtime: Runtime) -> None:
    """sentence-transformers#2312 (case 63): a text's vector changed with the batch it was in."""
    session = open_session(tiny, runtime)
    rows = [[2, *[5 + (number + place) % 5 for place in range(1 + number % 9)], 3] for number in range(32)]
    alone = np.concatenate([vectors(session, [row]) for row in rows])
    together = vectors(session, rows)
    assert together.shape == (32, 32)
    assert together.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert (alone * together).sum(axis=1).min() > 0.99999


def test_both_runtimes_give_the_same_vectors(tiny: Bundle) -> None:
    rows = [[2, *[4 + (number * place) % 6 for place in range(1, 2 + number)], 3] for number in range(60)]
    onnx, torch = open_session(tiny), open_session(tiny, "torch")
    assert (onnx.runtime, torch.runtime) == ("onnxruntime", "torch")
    assert (vectors(onnx, rows) * vectors(torch, rows)).sum(axis=1).min() > 0.999


@pytest.mark.parametrize("runtime", ["onnxruntime", "torch"])
def test_an_output_that_is_not_finite_fails_alone_and_is_counted(tiny: Bundle, runtime: Runtime) -> None:
    """text-embeddings-inference#51 (case 59): all-null vectors, with status 200."""
    session = open_session(tiny, runtime)

    def counted() -> float:
        return REGISTRY.get_sample_value("vitrine_inference_not_finite_rows_total", {"model": "tiny"}) or 0.0

    before = counted()
    good, bad, good_too = session.run([[2, 5, 3], [2, 10, 3], [2, 6, 7, 3]])
    assert isinstance(bad, Internal)
    assert bad.reason == "NOT_FINITE"
    assert not isinstance(good, Internal)
    assert not isinstance(good_too, Internal)
    assert counted() == before + 1


def test_weights_in_float16_are_computed_in_float32(tiny: Bundle, tmp_path: Path) -> None:
    """sentence-transformers#3233 (case 137): a model kept in float16 gave NaN; sums that leave its range must not."""
    from safetensors.numpy import load_file, save_file

    for name in ("tokenizer.json", "config.json", "model.onnx"):
        (tmp_path / name).write_bytes(tiny.path(name).read_bytes())
    tensors = load_file(tiny.path("model.safetensors"))
    # Inside float16's range itself, but not once two are multiplied.
    tensors["encoder.layer.0.intermediate.dense.bias"] += 4_000
    tensors["encoder.layer.0.output.dense.weight"] *= 100
    save_file({name: tensor.astype(np.float16) for name, tensor in tensors.items()}, tmp_path / "model.safetensors")
    half = write_bundle(tmp_path, tiny.manifest)
    assert np.isfinite(vectors(open_session(half, "torch"), [[2, 5, 6, 3]])).all()


def test_torch_keeps_to_the_budget_in_every_thread(tiny: Bundle) -> None:
    """faiss#1035: the number of threads, once set, was not obeyed in executor threads."""
    import torch

    async def threads() -> int:
        budget = ComputeBudget(threads=2)
        await budget.run_model(load_session, tiny, budget, "torch")
        seen = await budget.run_model(torch.get_num_threads)
        await budget.close()
        return seen

    assert asyncio.run(threads()) == 1


def test_onnxruntime_has_no_threads_of_its_own(tiny: Bundle) -> None:
    """text-embeddings-inference#170 (case 67): threads by the quota, which are the budget's."""
    code = """
import sys, psutil
from pathlib import Path
from vitrine.bundle import load_bundle
from vitrine.inference import OnnxSession
bundle = load_bundle(Path(sys.argv[1]), "embedder")
before = psutil.Process().num_threads()
session = OnnxSession(bundle, bundle.path("model.onnx"))
session.run([[2, 5, 3]] * 640)
print(psutil.Process().num_threads() - before)
"""
    done = subprocess.run([sys.executable, "-c", code, str(tiny.folder)], capture_output=True, text=True, timeout=120)
    assert done.stdout == "0\n", done.stderr


def test_a_model_that_does_not_fit_is_refused_before_it_is_read(tiny: Bundle) -> None:
    """marqo#796 (case 81): the container just died."""
    budget = ComputeBudget(threads=1, memory_bytes=1 << 20)
    with pytest.raises(FailedPrecondition, match=r"model tiny .* needs about .* MiB of memory; the limit is 1 MiB"):
        load_session(tiny, budget)


def test_a_model_larger_than_this_machine_is_refused_with_need_and_limit(tiny: Bundle, tmp_path: Path) -> None:
    """marqo#796 (case 81), with the limit that holds here; a file with a hole stands for 4 TiB of weights."""
    huge = damaged(tiny, tmp_path)
    os.truncate(tmp_path / "model.onnx", 1 << 42)
    with pytest.raises(FailedPrecondition, match=r"needs about 8,388,672 MiB of memory; the limit is [\d,]+ MiB"):
        open_session(huge)


def test_each_thread_needs_room_for_a_run(tiny: Bundle) -> None:
    """A container without a limit of processors has as many threads as its host: 64 runs are not room for one batch."""
    with pytest.raises(FailedPrecondition, match=r"model tiny .* needs about 512 MiB of memory; the limit is 300 MiB"):
        load_session(tiny, ComputeBudget(threads=64, memory_bytes=300 << 20))


def test_memory_does_not_grow_with_long_batches(tiny: Bundle) -> None:
    """infinity#517 (case 50): eight long texts, again and again, of ever new lengths."""
    session = open_session(tiny)
    session.run([[5] * 256] * 8)
    process = psutil.Process()
    before = process.memory_info().rss
    for shorter in range(1, 25):
        session.run([[5] * (256 - shorter)] * 8)
    assert process.memory_info().rss - before < 32 << 20


def test_the_shipped_vectors_are_the_same_in_any_company() -> None:
    """sentence-transformers#2312 (case 63), for int8: one scale for a whole batch would mix its texts."""
    bundle = load_bundle(SHIPPED, "embedder")
    session, tokenizer = open_session(bundle), Tokenizer(bundle)
    rows = [tokens.ids for tokens in tokenizer.encode(TEXTS, bundle.manifest.max_tokens)]
    alone = np.concatenate([vectors(session, [row]) for row in rows])
    together = vectors(session, rows * 4)[: len(rows)]
    assert (alone * together).sum(axis=1).min() >= 0.9999
    assert (np.argsort(-alone @ alone.T, axis=1) == np.argsort(-together @ alone.T, axis=1)).all()


def damaged(tiny: Bundle, folder: Path, **files: bytes | None) -> Bundle:
    """The bundle with files changed, or left out."""
    for name in tiny.manifest.files:
        content = files.get(name.replace(".", "_"), b"")
        if content is not None:
            (folder / name).write_bytes(content or tiny.path(name).read_bytes())
    return write_bundle(folder, tiny.manifest)


def test_a_missing_file_is_named(tiny: Bundle, tmp_path: Path) -> None:
    with pytest.raises(FailedPrecondition, match=r"has no model\.safetensors"):
        open_session(damaged(tiny, tmp_path, model_safetensors=None), "torch")


def test_a_file_that_is_no_model_is_named(tiny: Bundle, tmp_path: Path) -> None:
    with pytest.raises(FailedPrecondition, match=r"ONNX Runtime cannot load .*model.onnx"):
        open_session(damaged(tiny, tmp_path, model_onnx=b"not a model"))


def test_weights_that_do_not_fit_the_architecture_are_refused(tiny: Bundle, tmp_path: Path) -> None:
    """fastembed#688 (case 61): weights and runtime that disagreed gave NaN without a word."""
    config = json.loads(tiny.path("config.json").read_text()) | {"num_hidden_layers": 3}
    with pytest.raises(FailedPrecondition, match=r"does not fit config.json: missing \['encoder.layer.2"):
        open_session(damaged(tiny, tmp_path, config_json=json.dumps(config).encode()), "torch")


def test_an_embedder_in_a_rankers_place_is_refused(tiny: Bundle) -> None:
    """infinity#106 (case 143): an embedding model loaded where a reranker is needed."""
    ranker = Bundle(tiny.folder, Manifest.model_validate({**tiny.manifest.model_dump(), "kind": "ranker"}))
    with pytest.raises(FailedPrecondition, match=r"has the inputs .*'token_type_ids'.* are needed"):
        open_session(ranker)
