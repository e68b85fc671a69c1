"""Prometheus metrics of the pipeline: labels hold only what the code enumerates."""

from prometheus_client import Counter, Gauge, Histogram

STAGE_SECONDS = Histogram(
    "vitrine_search_stage_seconds",
    "Time of a search's stages.",
    ("stage",),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
)
DEGRADATIONS = Counter("vitrine_search_degradations", "Answers that lacked something, by what.", ("kind",))
RANK_DEPTH = Histogram(
    "vitrine_search_rank_depth", "Candidates that the ranker ordered.", buckets=(0, 4, 8, 16, 32, 64, 128, 200)
)
RECOMMENDATION_STAGE_SECONDS = Histogram(
    "vitrine_recommendation_stage_seconds",
    "Time of a recommendation's stages.",
    ("stage",),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
)
RECOMMENDATIONS = Counter(
    "vitrine_recommendations", "Products recommended, by what proposed them most.", ("placement", "source")
)
QUERY_VECTORS = Counter("vitrine_query_vectors", "Query vectors by where they came from.", ("origin",))
CACHE_FAILURES = Counter("vitrine_cache_failures", "Redis commands that failed or were too late.")
CACHE_VALUES_REFUSED = Counter("vitrine_cache_values_refused", "Values in Redis that were not right, read as misses.")
USER_EVENTS = Counter("vitrine_user_events", "User events by what became of them.", ("outcome",))
AD_EVENTS = Counter("vitrine_ad_events", "Impressions and clicks of ads, by what became of them.", ("kind", "outcome"))
RELEASES_BEHIND = Gauge(
    "vitrine_releases_behind", "1 while the store of releases cannot be read and what was read before holds."
)
EXPERIMENTS_SUSPENDED = Gauge(
    "vitrine_experiments_suspended", "1 while a release of an experiment's arm cannot answer.", ("experiment",)
)
EXPERIMENTS_FILE_REFUSED = Gauge(
    "vitrine_experiments_file_refused", "1 while the experiments file is wrong and the one before it holds."
)
