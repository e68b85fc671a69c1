"""The recommender that the sample shop is loaded with: models of their real sizes, for its products."""

from pathlib import Path

from loadtest.material import shop_ids
from services.embedder.settings import EmbedderSettings
from vitrine.bundle import load_bundle
from vitrine.recommender_bundle import load_recommender


def made_recommender(folder: Path, products: int) -> Path:
    """The folder, in `folder`, of a bundle for so many products; one made before for the same embedder is kept."""
    path, settings = folder / "recommender", EmbedderSettings()
    model = load_bundle(settings.bundle, "embedder").manifest.model_info(settings.runtime)
    if not path.exists() or load_recommender(path).manifest.embedder_digest != model.digest:
        # It is made with torch, which takes seconds to load: nothing else here needs it.
        from loadtest.made_recommender import write_made_recommender
        from services.retriever.switch_point import made_vectors

        ids = shop_ids(products)
        write_made_recommender(path, ids, made_vectors(len(ids), model.dim, seed=1), model)
    return path
