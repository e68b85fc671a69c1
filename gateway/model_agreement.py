"""Embedder and index belong together: vectors of two models do not compare, though they may be of one width."""

from vitrine.errors import FailedPrecondition
from vitrine.ports import IndexInfo


def require_one_model(index: IndexInfo, digest: str) -> None:
    """Raises FailedPrecondition, naming both models, when the index's vectors are not of the model `digest`."""
    if index.model_digest and digest not in index.model_digests:
        raise FailedPrecondition(
            f"the index holds vectors of {index.model_digest} and the embedder serves {digest}; "
            "serve the index's model, or begin with an empty data folder and write the products again",
            reason="MODEL_MISMATCH",
        )
