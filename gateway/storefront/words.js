// What the page says, in English and Chinese.

import { locale, saying } from "./language.js";

const WORDS = {
  en: {
    title: "Vitrine", skip: "To the content", search: "Search", searchFor: "What are you looking for?", home: "Home",
    language: "中文", visitor: "Visitor", newVisitor: "New visitor", compare: "Two tastes side by side", compareShort: "Compare", theme: "Light or dark",
    forYou: "For you", forYouNew: "Nothing is known of you yet: open some products, and this shelf follows.",
    sponsored: "Ad", sponsoredShelf: "Ads", results: "{n} products", resultsShown: "for “{q}”", corrected: "Read as “{q}”", none: "Nothing matches. Take out a filter, or use other words.",
    more: "More", loading: "Loading", end: "That is all.", sort: "Order", relevance: "Relevance", price: "Price, low first", "price desc": "Price, high first",
    newest: "Newest", popularity: "Popularity", brand: "Brand", categories: "Category", availability: "Availability", languageFacet: "Language", priceFacet: "Price", clear: "Clear filters", filters: "Filters",
    in_stock: "In stock", out_of_stock: "Sold out", preorder: "Pre-order", backorder: "Back-order", zh: "Chinese", en: "English",
    why: "Why this?", how: "How it was answered", close: "Close", similar: "Similar", goesWith: "Goes with it", reviews: "What buyers say", addToCart: "Into the cart", added: "In the cart", buy: "Buy", bought: "Bought",
    details: "Details", noReviews: "No reviews yet.", notFound: "This product is not in the catalogue.",
    sources: "Found by", contributions: "What the score is made of", tasteAdds: "What your taste adds to the score", history: "Because of", attributions: "Words that made it", attributionsNote: "Green speaks for it, red against it.",
    probability: "Chance that it is relevant: {n} %", found: "{source}: rank {n}, score {s}", foundUnranked: "{source}: score {s}", waitExplain: "Asking the ranker which words counted …", noExplanation: "No more is known of this result.",
    stages: "Stages", network: "network and page", other: "between the stages", cached: "From a cache: {parts}", depth: "Pairs ranked: {n}", copy: "Copy", copied: "Copied",
    degraded: "Answered without a part: {parts}", between: "; ", retry: "Try again", busy: "The shop is busy; try again in {s} s.", failed: "This could not be loaded: {m}", partFailed: "Not to be had now.",
    DEGRADATION_LEXICAL_ONLY: "the model of meanings is away, found by words only", DEGRADATION_NOT_RANKED: "the ranker is away, in the order of retrieval",
    DEGRADATION_NO_CACHE: "the cache is away", DEGRADATION_RANK_DEPTH_REDUCED: "little time, fewer candidates ranked", DEGRADATION_NO_PERSONALISATION: "your history is away",
    DEGRADATION_NO_POPULARITY: "what is popular is not known now", DEGRADATION_NO_RECOMMENDER: "the recommender is away", DEGRADATION_NOT_EXPLAINED: "not explained",
    dense: "meaning", lexical: "words", pin: "the shop's own choice", model_number: "the very number", query_embedding: "the query's vector", page: "a page made before", answer: "the whole answer",
    TEXT_SIMILAR: "like it in words", HISTORY: "like what you looked at", SEARCHED: "what you searched for", PROFILE: "what you like", POPULAR_IN_CATEGORY: "popular in its category", POPULAR: "popular now",
    NEWEST: "new", BEHAVIOUR: "what comes next for you", ALS: "chosen by people like you", ITEM_ITEM: "chosen by those who chose the same", CO_PURCHASE: "bought together", TRENDING: "rising",
    POPULAR_IN_COUNTRY: "popular in your country", ABOUT: "about this product", SPONSORED: "sponsored", PRICE_FIT: "price you pay", PROFILE_FIT: "fits your profile", FRESH: "fresh", AVAILABILITY: "to be had",
    footer: "Served by Vitrine's gateway, over the same public API as everyone's.", visitorN: "Visitor {n}", compareNote: "The same shop as two visitors see it. Choose a visitor above, open some products, and come back.",
  },
  zh: {
    title: "Vitrine", skip: "跳到内容", search: "搜索", searchFor: "想找点什么？", home: "首页",
    language: "English", visitor: "访客", newVisitor: "新访客", compare: "两种口味对照", compareShort: "对照", theme: "明暗切换",
    forYou: "为你推荐", forYouNew: "还不了解你：点开几件商品，这里就会跟着变。",
    sponsored: "广告", sponsoredShelf: "广告", results: "{n} 件商品", resultsShown: "“{q}”", corrected: "已按“{q}”搜索", none: "没有符合的商品。去掉一个筛选，或换个说法。",
    more: "更多", loading: "加载中", end: "已经到底了。", sort: "排序", relevance: "相关度", price: "价格从低到高", "price desc": "价格从高到低",
    newest: "最新", popularity: "热门", brand: "品牌", categories: "类目", availability: "库存", languageFacet: "语言", priceFacet: "价格", clear: "清除筛选", filters: "筛选",
    in_stock: "有货", out_of_stock: "售罄", preorder: "预售", backorder: "可预订", zh: "中文", en: "英文",
    why: "为什么是它？", how: "怎样得出的", close: "关闭", similar: "相似商品", goesWith: "搭配购买", reviews: "买家评价", addToCart: "加入购物车", added: "已在购物车", buy: "购买", bought: "已购买",
    details: "详情", noReviews: "还没有评价。", notFound: "目录里没有这件商品。",
    sources: "由谁找到", contributions: "得分由什么构成", tasteAdds: "你的口味给得分加了什么", history: "因为看过", attributions: "起作用的词", attributionsNote: "绿色为正，红色为负。",
    probability: "相关的概率：{n} %", found: "{source}：名次 {n}，得分 {s}", foundUnranked: "{source}：得分 {s}", waitExplain: "正在询问排序模型哪些词起了作用……", noExplanation: "关于这个结果没有更多信息。",
    stages: "阶段", network: "网络与页面", other: "阶段之间", cached: "来自缓存：{parts}", depth: "精排的候选数：{n}", copy: "复制", copied: "已复制",
    degraded: "缺少一部分仍作了回答：{parts}", between: "；", retry: "重试", busy: "商店繁忙，请 {s} 秒后再试。", failed: "无法加载：{m}", partFailed: "暂时没有。",
    DEGRADATION_LEXICAL_ONLY: "语义模型不可用，只按词查找", DEGRADATION_NOT_RANKED: "排序模型不可用，按召回顺序", DEGRADATION_NO_CACHE: "缓存不可用",
    DEGRADATION_RANK_DEPTH_REDUCED: "时间不足，精排的候选较少", DEGRADATION_NO_PERSONALISATION: "你的历史不可用", DEGRADATION_NO_POPULARITY: "暂不知道什么热门", DEGRADATION_NO_RECOMMENDER: "推荐模型不可用", DEGRADATION_NOT_EXPLAINED: "没有解释",
    dense: "语义", lexical: "词语", pin: "店家置顶", model_number: "型号或规格一致", query_embedding: "查询向量", page: "已备好的页", answer: "整个答案",
    gather: "收集", embed: "计算向量", popular: "取热门", ads: "取广告", retrieve: "检索", fuse: "融合", turn: "排队", rank: "精排", taste: "按口味调整", highlight: "标出词语", explain: "解释", arrange: "编排",
    TEXT_SIMILAR: "文字相近", HISTORY: "像你看过的", SEARCHED: "你搜索过的", PROFILE: "你的喜好", POPULAR_IN_CATEGORY: "同类热门", POPULAR: "热门", NEWEST: "新品", BEHAVIOUR: "你接下来会看的",
    ALS: "相似的人选了它", ITEM_ITEM: "选了同样商品的人也选它", CO_PURCHASE: "一起购买", TRENDING: "上升中", POPULAR_IN_COUNTRY: "你所在国家热门", ABOUT: "关于这件商品", SPONSORED: "赞助", PRICE_FIT: "你常付的价位", PROFILE_FIT: "符合你的资料", FRESH: "新上架", AVAILABILITY: "可购买",
    footer: "由 Vitrine 网关提供，用的就是公开的 API。", visitorN: "访客 {n}", compareNote: "同一家店，两位访客眼中的样子。在上面选一位访客，点开几件商品，再回来看。",
  },
};

export const say = saying(WORDS);

/** What an answer lacked, in a line. */
export const lacked = (degradations) => say("degraded", { parts: listed(degradations) });

/** Names in a row, each in the page's words. */
export const listed = (names) => names.map((name) => say(name)).join(say("between"));

export function money(product) {
  if (product.price === undefined) return "";
  const form = { style: "currency", currency: product.currencyCode };
  return new Intl.NumberFormat(locale(), form).format(product.price);
}
