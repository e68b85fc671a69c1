"""The store must be of the embedder's model, asked before the gateway lets anybody in."""

from gateway.model_agreement import require_one_model
from vitrine.deadline import Deadline
from vitrine.ports import Embedder, Retriever

_LOOK_UP_S = 10.0


async def require_model_of_index(embedder: Embedder, retriever: Retriever) -> None:
    """Raises FailedPrecondition, naming both models and the way out, when they are not the same."""
    index = await retriever.get_index(deadline=Deadline.after(_LOOK_UP_S))
    require_one_model(index, (await embedder.get_model(deadline=Deadline.after(_LOOK_UP_S))).digest)
