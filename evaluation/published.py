"""What others measured on these data sets, each query and metric defined as here: the check that the harness is right.

multilingual-e5-small (e5) and all-MiniLM-L6-v2 (minilm) are the whole models with their prompts, zero-shot, in float32.
"""

PUBLISHED: dict[str, dict[str, dict[str, float]]] = {
    "icecat": {
        "bm25": {"judged": 0.802, "condensed": 0.728, "full": 0.624, "recall_50": 0.605, "recall_200": 0.711},
        "e5": {"judged": 0.835, "condensed": 0.810, "full": 0.490, "recall_50": 0.578, "recall_200": 0.771},
        "minilm": {"judged": 0.881, "condensed": 0.871, "full": 0.482, "recall_50": 0.631, "recall_200": 0.837},
        "rrf bm25 e5": {"judged": 0.815, "condensed": 0.788, "full": 0.618, "recall_50": 0.656, "recall_200": 0.774},
        "rrf bm25 e5 minilm": {
            "judged": 0.842,
            "condensed": 0.835,
            "full": 0.650,
            "recall_50": 0.677,
            "recall_200": 0.833,
        },
    },
    "zh": {
        "e5": {"auc ecominstruct_multicpr": 0.983, "auc ecominstruct_select": 0.948},
        "minilm": {"auc ecominstruct_multicpr": 0.772, "auc ecominstruct_select": 0.714},
    },
}
