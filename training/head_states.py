"""The ranker's state before its last weight, for each pair, from the very graph that is served.

The logit is a linear function of this state, so a new last weight is the smallest fine-tuning that reads the texts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from services.ranker.kept_tokens import KeptTokens
from services.ranker.pairs import SPECIAL_TOKENS, Pair, PairBuilder
from training.e5_weights import Floats
from training.errors import TrainingError
from vitrine.bundle import Bundle
from vitrine.inference import ONNX_FILE, attention_mask, padded
from vitrine.ports import RankCandidate
from vitrine.text import normalize_text
from vitrine.tokenization import Tokenizer

_BATCH = 32
_LINEAR = ("MatMul", "Gemm")


@dataclass(frozen=True)
class HeadStates:
    """States (n, d) before the last weight, and the logits (n,) that the weight makes of them."""

    states: Floats
    logits: Floats


def head_states(bundle: Bundle, queries: Sequence[str], texts: Sequence[str], max_query_tokens: int) -> HeadStates:
    """States of n pairs of query and product text, tokenised as the ranker does; `bundle` is a ranker's.

    Raises TrainingError when a pair has no words, or the graph does not end in one weight per state.
    """
    path = bundle.path(ONNX_FILE)
    model = onnx.load(str(path))
    name = _state_before_logit(model.graph, path)
    model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    inputs = {tensor.name for tensor in session.get_inputs()}
    pairs = _pairs(bundle, queries, texts, max_query_tokens)
    order = sorted(range(len(pairs)), key=lambda row: len(pairs[row].ids))
    states: dict[int, Floats] = {}
    logits = np.zeros(len(pairs), dtype=np.float32)
    for start in range(0, len(order), _BATCH):
        rows = order[start : start + _BATCH]
        ids = [pairs[row].ids for row in rows]
        feed = {"input_ids": padded(ids), "attention_mask": attention_mask(ids)}
        if "token_type_ids" in inputs:
            feed["token_type_ids"] = padded([pairs[row].type_ids for row in rows])
        made, before = session.run(["logits", name], feed)
        logits[rows] = made
        states.update(zip(rows, before.reshape(len(rows), -1), strict=True))
    return HeadStates(np.stack([states[row] for row in range(len(pairs))]).astype(np.float32), logits)


def _pairs(bundle: Bundle, queries: Sequence[str], texts: Sequence[str], max_query_tokens: int) -> list[Pair]:
    limit = bundle.manifest.max_tokens
    # As services/ranker/engine.py caps the query.
    cap = min(max_query_tokens, (limit - SPECIAL_TOKENS) // 2)
    builder = PairBuilder(Tokenizer(bundle), limit, cap, KeptTokens(0))
    pairs: list[Pair] = []
    for query, text in zip(queries, texts, strict=True):
        (pair,) = builder.build(normalize_text(query), [RankCandidate("pair", text)])
        if not isinstance(pair, Pair):
            raise TrainingError(f"query {query!r} with product text {text!r}: {pair}")
        pairs.append(pair)
    return pairs


def _state_before_logit(graph: onnx.GraphProto, path: Path) -> str:
    """The input of the graph's last linear layer, found by walking back from the logits."""
    weights = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    made_by = {output: node for node in graph.node for output in node.output}
    name = "logits"
    while (node := made_by.get(name)) is not None:
        if node.op_type in _LINEAR:
            if 1 in weights.get(node.input[1], ()):
                return str(node.input[0])
            break
        name = next((one for one in node.input if one in made_by and one not in weights), "")
    raise TrainingError(f"{path}: the graph does not end in a linear layer of one output; its head cannot be adapted")
