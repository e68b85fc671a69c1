// What the operators' page says, in English and Chinese.

import { saying } from "./language.js";

const WORDS = {
  en: {
    title: "Operations", skip: "To the content", language: "中文", theme: "Light or dark", close: "Close", cancel: "Cancel", shop: "The shop", pause: "Pause", live: "live", paused: "paused",
    over: "over the last {t}", seconds: "{n} s", minutes: "{n} min", hours: "{n} h", footer: "Served by Vitrine's gateway: OpsService and ReleaseService, as grpcurl has them.", failed: "This could not be read: {m}", look: "(look at it)",
    keyTitle: "A key with the scope admin", keyNote: "It is kept in this tab alone and forgotten with it. vitrine key create --scope admin makes one.", key: "API key", enter: "Enter", forgetKey: "Forget the key",
    now: "Now", lately: "how it went since this page was opened", searchRate: "Searches a second", recommendationRate: "Recommendations a second", searchHalf: "Half of all searches in", searchMost: "99 % of all searches in", failedShare: "Failed", lacking: "Answers lacking a part, a second", answersKept: "Answers from memory", recall: "Recall@100",
    calls: "Calls", method: "Method", perSecond: "A second", half: "Half in", nine: "90 % in", most: "99 % in", distribution: "Distribution", codes: "Not OK, by code", noCalls: "No calls in this time.", callsNote: "All processes together, without what this page asks itself.", shape: "{what}: half in {half}, 99 % in {most}",
    degradations: "Lacking, refused, left", of: "Of", kind: "What", sinceStart: "Since the start", noDegradations: "Nothing lacked, nothing was refused.",
    of_search: "search", of_recommendation: "recommendation", of_retriever: "retriever", of_admission: "too many inside", of_door: "refused at the door", of_model: "left before the model",
    lexical_only: "found by words only", not_ranked: "not ranked", no_cache: "no cache", rank_depth_reduced: "fewer candidates ranked", no_personalisation: "no history", no_popularity: "no popularity", no_recommender: "no recommender", not_explained: "not explained",
    searches: "Searches", recommendations: "recommendations", writes: "writes", "writes of events": "writes of events", "calls for suggestions": "suggestions", model_embedder: "embedder", model_history: "histories", model_ranker: "ranker",
    models: "Models: batches and waits", model: "Model", runs: "Runs a second", items: "Items a batch", runTime: "Half of the runs in", liveHalf: "Live: half wait", liveMost: "Live: 99 % wait", waits: "Waits", bulkMost: "Background: 99 % wait", waiting: "Waiting now", tokens: "{n} tokens", noModels: "No model ran in this time.",
    caches: "Caches by tier", cache: "Cache", tier: "From", share: "Share", noCaches: "No cache was asked in this time.", "query vectors": "Query vectors", answers: "Answers", "product tokens": "Product tokens", pairs: "Pairs ranked before", "searches by words": "Searches by words",
    tier_process: "this process", tier_redis: "Redis", tier_embedder: "the model", tier_pipeline: "made anew", tier_hit: "kept", tier_miss: "made anew", redisWait: "Redis", mostIn: "99 % in {t}", leftAlone: "left alone after failures",
    stages: "Stages", stage: "Stage", noStages: "No answer was made in this time.", indexes: "Index and recall probe", address: "Process", products: "Products", revision: "Revision", memory: "Memory", recallProbe: "Recall@100", floor: "Floor", alerts: "Alerts", noIndexes: "No retriever among the processes.", notYet: "not measured yet",
    processes: "Processes", serves: "Serves", well: "Well", processor: "Processor", inFlight: "In flight", upFor: "Up for", yes: "yes", no: "no", silent: "no answer: {why}", noProcesses: "No process answers.",
    releases: "Releases", release: "Release", state: "State", embedder: "Embedder", ranker: "Ranker", recommender: "Recommender", gates: "Gates", created: "Written", change: "Change", noReleases: "No releases: each service's first models serve. vitrine release create makes one.", notMeasured: "not measured", passed: "passed", against: "{n} now",
    serving: "serves", kept: "kept for rollback", flip: "Make it serve", flipTo: "Make {r} serve", flipAsk: "From the next call on {r} answers in place of {s}, at every gateway. Its gates are asked.", flipped: "{r} serves now.", firstModels: "the first models", before: "what served before", rollback: "Roll back", rollbackAsk: "From the next call on {r} answers again in place of {s}; gates are not asked.", rolledBack: "What served before serves again.",
    topQueries: "Top queries", query: "Query", noResultsShare: "Nothing found", noWordsShare: "By meaning alone", noQueries: "No searches yet.", fading: "A search counts 1 today, and half as much with each day.", times: "Times", noResults: "Queries that found nothing", noneWithout: "Each search found something.",
    noWords: "Found by meaning alone", noWordsNote: "No result on the first page has a word of the query: a synonym, a product that is missing, or a slip of the pen.", noneByMeaning: "Each search found its words.",
    worstClicks: "Worst-ranked clicks", worstClicksNote: "Queries whose clicked results stood lowest: what shoppers had to look for.", clicks: "Clicks", meanPosition: "Mean position", worstPosition: "Lowest", product: "Clicked there", noClicks: "No clicks with a position after a search.", ofEvents: "By the last {n} events, since {t}.",
  },
  zh: {
    title: "运维", skip: "跳到内容", language: "English", theme: "明暗切换", close: "关闭", cancel: "取消", shop: "商店", pause: "暂停", live: "实时", paused: "已暂停",
    over: "最近 {t}", seconds: "{n} 秒", minutes: "{n} 分钟", hours: "{n} 小时", footer: "由 Vitrine 网关提供：OpsService 与 ReleaseService，grpcurl 也可调用。", failed: "无法读取：{m}", look: "（请留意）",
    keyTitle: "需要有 admin 权限的密钥", keyNote: "只保存在此标签页，关闭即忘。用 vitrine key create --scope admin 生成。", key: "API 密钥", enter: "进入", forgetKey: "忘记密钥",
    now: "当前", lately: "打开本页以来的变化", searchRate: "每秒搜索", recommendationRate: "每秒推荐", searchHalf: "半数搜索耗时", searchMost: "99% 搜索耗时", failedShare: "失败", lacking: "每秒降级的回答", answersKept: "直接取自内存的回答", recall: "召回率@100",
    calls: "调用", method: "方法", perSecond: "每秒", half: "半数", nine: "90%", most: "99%", distribution: "分布", codes: "非 OK 状态码", noCalls: "这段时间没有调用。", callsNote: "所有进程合计，不含本页自身的调用。", shape: "{what}：半数在 {half} 内，99% 在 {most} 内",
    degradations: "降级、拒绝与放弃", of: "类别", kind: "内容", sinceStart: "启动以来", noDegradations: "没有降级，也没有拒绝。",
    of_search: "搜索", of_recommendation: "推荐", of_retriever: "检索", of_admission: "同时请求过多", of_door: "入口拒绝", of_model: "未到模型即放弃",
    lexical_only: "只按词查找", not_ranked: "未精排", no_cache: "无缓存", rank_depth_reduced: "精排候选减少", no_personalisation: "无历史", no_popularity: "无热度", no_recommender: "无推荐模型", not_explained: "未解释",
    searches: "搜索次数", recommendations: "推荐", writes: "写入", "writes of events": "事件写入", "calls for suggestions": "联想", model_embedder: "向量模型", model_history: "历史模型", model_ranker: "排序模型",
    models: "模型：批次与等待", model: "模型", runs: "每秒批次", items: "每批条数", runTime: "半数批次耗时", liveHalf: "在线等待：半数", liveMost: "在线等待：99%", waits: "等待", bulkMost: "后台等待：99%", waiting: "正在等待", tokens: "{n} 个词元", noModels: "这段时间没有模型运行。",
    caches: "各级缓存", cache: "缓存", tier: "来自", share: "占比", noCaches: "这段时间没有查询缓存。", "query vectors": "查询向量", answers: "回答", "product tokens": "商品词元", pairs: "已精排过的配对", "searches by words": "按词搜索",
    tier_process: "本进程", tier_redis: "Redis", tier_embedder: "模型", tier_pipeline: "重新计算", tier_hit: "命中", tier_miss: "重新计算", redisWait: "Redis", mostIn: "99% 在 {t} 内", leftAlone: "多次失败后暂停使用",
    stages: "阶段", stage: "阶段", noStages: "这段时间没有回答。", indexes: "索引与召回探测", address: "进程", products: "商品", revision: "版本", memory: "内存", recallProbe: "召回率@100", floor: "下限", alerts: "告警", noIndexes: "进程中没有检索服务。", notYet: "尚未测得",
    processes: "进程", serves: "服务", well: "健康", processor: "处理器", inFlight: "进行中", upFor: "已运行", yes: "是", no: "否", silent: "无应答：{why}", noProcesses: "没有进程应答。",
    releases: "发布", release: "发布", state: "状态", embedder: "向量模型", ranker: "排序模型", recommender: "推荐模型", gates: "门槛", created: "写入时间", change: "切换", noReleases: "没有发布：各服务使用其第一个模型。用 vitrine release create 新建。", notMeasured: "未测量", passed: "已通过", against: "现用 {n}",
    serving: "服务中", kept: "留作回滚", flip: "切换到它", flipTo: "切换到 {r}", flipAsk: "从下一次调用起，所有网关由 {r} 代替 {s} 作答。会检查它的门槛。", flipped: "现在由 {r} 服务。", firstModels: "最初的模型", before: "之前的发布", rollback: "回滚", rollbackAsk: "从下一次调用起，由 {r} 重新代替 {s} 作答；不检查门槛。", rolledBack: "之前的发布已重新服务。",
    topQueries: "热门查询", query: "查询", noResultsShare: "没有结果", noWordsShare: "仅凭语义", noQueries: "还没有搜索。", fading: "今天的一次搜索计 1，每过一天减半。", times: "次数", noResults: "没有结果的查询", noneWithout: "每次搜索都有结果。",
    noWords: "仅凭语义找到", noWordsNote: "首页结果中没有查询里的任何词：可能缺同义词、缺商品，或是笔误。", noneByMeaning: "每次搜索都找到了其中的词。",
    worstClicks: "排得最靠后的点击", worstClicksNote: "被点击的结果排得最靠后的查询：顾客要费力去找。", clicks: "点击", meanPosition: "平均位置", worstPosition: "最靠后", product: "在那里点击的商品", noClicks: "搜索之后没有带位置的点击。", ofEvents: "依据最近 {n} 个事件，自 {t}。",
  },
};

export const say = saying(WORDS);
