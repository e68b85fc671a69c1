"""What others measured on these data sets, each query and metric defined as here: the check that the harness is right.

multilingual-e5-small is the whole 12-layer model with its prompts, zero-shot, in float32.
"""

PUBLISHED: dict[str, dict[str, dict[str, float]]] = {
    "icecat": {
        "bm25": {"judged": 0.802, "condensed": 0.728, "full": 0.624, "recall_50": 0.605, "recall_200": 0.711},
        "e5": {"judged": 0.835, "condensed": 0.810, "full": 0.490, "recall_50": 0.578, "recall_200": 0.771},
    },
    "zh": {"e5": {"auc ecominstruct_multicpr": 0.983, "auc ecominstruct_select": 0.948}},
}
