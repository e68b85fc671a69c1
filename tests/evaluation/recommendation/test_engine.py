"""The whole command, the engine's training included, on a made shop."""

import json
from collections.abc import Callable
from pathlib import Path

from typer.testing import CliRunner

from cli.main import app
from tests.training.recommendation.made_shop import write_shop


def test_a_shops_own_folder_is_measured_with_all_methods(
    tmp_path: Path, make_embedder_bundle: Callable[..., Path]
) -> None:
    catalogue, _ = write_shop(tmp_path)
    catalogue.rename(tmp_path / "products.jsonl")

    result = CliRunner().invoke(
        app,
        [
            *("evaluate", "recommendation", "--dataset", str(tmp_path), "--json", str(tmp_path / "now.json")),
            *("--embedder", str(make_embedder_bundle()), "--max-minutes", "0.1"),
        ],
    )

    assert result.exit_code == 0, result.output
    written = json.loads((tmp_path / "now.json").read_text(encoding="utf-8"))
    task = written["tasks"]["next product"]
    methods = ["popularity", "item-item, cosine", "item-item", "als", "popularity+als", "sequence", "engine"]
    assert list(task["figures"]) == methods
    # Visitors go from each product to the next of its kind: who learned that is far above what is popular.
    recall = {name: task["figures"][name]["recall@10"]["value"] for name in methods}
    assert recall["engine"] > 1.5 * recall["popularity"]
    gain = next(one for one in task["gains"] if one["metric"] == "ndcg@10")
    best = max(
        (name for name in methods if name != "engine"), key=lambda name: task["figures"][name]["ndcg@10"]["value"]
    )
    assert gain["best_other"] == best
    assert 0 < gain["p_value"] <= 1
    assert "engine, training" in written["seconds"]
