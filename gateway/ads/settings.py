"""What can be set of sponsored products: environment variables VITRINE_ADS_…"""

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from pydantic_settings import BaseSettings, SettingsConfigDict


class AdsSettings(BaseSettings):
    """Which ads are shown, and what they cost."""

    model_config = SettingsConfigDict(env_prefix="VITRINE_ADS_", frozen=True)

    currency: str = Field(
        "", pattern="^([A-Z]{3})?$", description="of the bids that compete; empty: that of most active campaigns"
    )
    reserve_price: PositiveInt = Field(1, description="least cost of a click, in the currency's smallest unit")
    # Measured on the sample shop: 86 % of exact matches lie above, and 2 % of what does not match.
    min_probability: float = Field(
        0.3, ge=0, le=1, description="least probability, by the ranker, that an ad is relevant to the query"
    )
    min_query_cosine: float = Field(0.3, ge=-1, le=1, description="least cosine to the query, while the ranker is away")
    # 95 % of pairs of one category lie above, and 5 % of those that share the top category only.
    min_cosine: float = Field(0.5, ge=-1, le=1, description="least cosine to an anchor or a product of the history")
    untargeted: bool = Field(False, description="whether ads are shown where nothing is known to be relevant to")
    click_rate: float = Field(
        0.02, gt=0, lt=0.5, description="share of impressions that is clicked of an ad of middling relevance"
    )
    pacing: bool = Field(True, description="whether daily budgets are made to last the day")
    visitor_impressions: PositiveInt = Field(
        5, le=1_000, description="times a visitor sees a product of a campaign in a day, where it does not say"
    )
    visitor_clicks: PositiveInt = Field(
        3, le=1_000, description="clicks of a visitor on a product of a campaign that are charged in a day"
    )
    reservation_s: NonNegativeFloat = Field(
        30.0, description="an ad answered counts as seen for so long, until its impression is reported"
    )
    token_hours: PositiveFloat = Field(24.0, le=720, description="a click is charged so long after the answer")
    max_products: PositiveInt = Field(10_000, le=10_000, description="products that all campaigns together sponsor")
