"""What each public call needs: one table, for gRPC and HTTP."""

from enum import StrEnum


class Scope(StrEnum):
    """A right that a caller has; none of them holds another."""

    SEARCH = "search"
    EVENTS = "events"
    CATALOGUE = "catalogue"
    ADMIN = "admin"


# Those that may be given to callers without credentials.
OPEN_SCOPES = frozenset({Scope.SEARCH, Scope.EVENTS})

SCOPES = {
    "/vitrine.v1.SearchService/Search": Scope.SEARCH,
    "/vitrine.v1.SearchService/Suggest": Scope.SEARCH,
    "/vitrine.v1.RecommendationService/Recommend": Scope.SEARCH,
    "/recommend": Scope.SEARCH,
    "/vitrine.v1.CatalogService/GetProduct": Scope.SEARCH,
    "/vitrine.v1.CatalogService/ListProductDigests": Scope.CATALOGUE,
    "/vitrine.v1.CatalogService/UpsertProducts": Scope.CATALOGUE,
    "/vitrine.v1.CatalogService/UpdateOffers": Scope.CATALOGUE,
    "/vitrine.v1.CatalogService/DeleteProducts": Scope.CATALOGUE,
    "/vitrine.v1.UserEventService/WriteUserEvents": Scope.EVENTS,
    # What is kept of visitors is personal: who may write events may not read them.
    "/vitrine.v1.UserEventService/GetVisitor": Scope.ADMIN,
    "/vitrine.v1.UserEventService/DeleteVisitor": Scope.ADMIN,
    "/vitrine.v1.UserEventService/ListUserEvents": Scope.ADMIN,
    "/vitrine.v1.UserEventService/PurgeUserEvents": Scope.ADMIN,
    "/vitrine.v1.UserEventService/ListErasedVisitors": Scope.ADMIN,
    # Campaigns spend money.
    "/vitrine.v1.AdService/UpsertCampaigns": Scope.ADMIN,
    "/vitrine.v1.AdService/DeleteCampaigns": Scope.ADMIN,
    "/vitrine.v1.AdService/ListCampaigns": Scope.ADMIN,
    "/vitrine.v1.ReleaseService/ListReleases": Scope.ADMIN,
    "/vitrine.v1.ReleaseService/CreateRelease": Scope.ADMIN,
    "/vitrine.v1.ReleaseService/BuildRelease": Scope.ADMIN,
    "/vitrine.v1.ReleaseService/DeleteRelease": Scope.ADMIN,
    "/vitrine.v1.ReleaseService/FlipRelease": Scope.ADMIN,
    "/vitrine.v1.ReleaseService/RollbackRelease": Scope.ADMIN,
    "/vitrine.v1.ReleaseService/AdoptRelease": Scope.ADMIN,
    # What people searched for.
    "/vitrine.v1.OpsService/GetOverview": Scope.ADMIN,
    "/vitrine.v1.OpsService/ListQueries": Scope.ADMIN,
    "/vitrine.v1.OpsService/ListWorstRankedClicks": Scope.ADMIN,
    "/metrics": Scope.ADMIN,
}
