"""Prometheus metrics of the pipeline: labels hold only what the code enumerates."""

from prometheus_client import Counter, Gauge, Histogram

STAGE_SECONDS = Histogram(
    "vitrine_search_stage_seconds",
    "Time of a search's stages.",
    ("stage",),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
)
DEGRADATIONS = Counter("vitrine_search_degradations", "Answers that lacked something, by what.", ("kind",))
RECOMMENDATION_DEGRADATIONS = Counter(
    "vitrine_recommendation_degradations", "Recommendations that lacked something, by what.", ("kind",)
)
INSIDE = Gauge("vitrine_admission_inside", "Calls that were let in and are not answered yet.", ("what",))
REFUSED = Counter("vitrine_admission_refused", "Calls refused at once because too many were inside.", ("what",))
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
QUERY_VECTORS_KEPT = Gauge("vitrine_query_vectors_kept", "Query vectors kept in this process, in front of Redis.")
ANSWERS = Counter(
    "vitrine_answers", "Searches that another caller's answer would do for, by where theirs came from.", ("origin",)
)
ANSWERS_KEPT_BYTES = Gauge("vitrine_answers_kept_bytes", "Memory of the answers kept in this process.")
QUERY_VECTORS = Counter("vitrine_query_vectors", "Query vectors by where they came from.", ("origin",))
CACHE_SECONDS = Histogram(
    "vitrine_cache_seconds",
    "What a search waited for Redis to answer with query vectors, or not to.",
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.1),
)
CACHE_BREAKER_OPEN = Gauge("vitrine_cache_breaker_open", "1 while Redis is left alone after several failures.")
RATE_LIMITS_LOCAL = Gauge(
    "vitrine_rate_limits_local", "1 while Redis is away and each gateway counts callers' rates alone."
)
CALLS_REFUSED = Counter("vitrine_calls_refused", "Calls refused at the door, by reason.", ("reason",))
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
