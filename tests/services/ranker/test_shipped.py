"""The ranker bundle that ships, served as it will be."""

from collections.abc import AsyncIterator

import pytest

from services.ranker.engine import RankerEngine
from services.ranker.settings import RankerSettings
from vitrine.compute import ComputeBudget
from vitrine.deadline import Deadline
from vitrine.ports import RankCandidate

PRODUCTS = [
    "sony wh-1000xm4 wireless headphones black",
    "小米 真无线蓝牙耳机 降噪 白色",
    "hp pavilion 15.6 inch laptop 8gb 512gb ssd",
    "联想 小新 14英寸 轻薄笔记本电脑",
    "xerox toner cartridge black",
    "加厚 不锈钢 保温杯 500ml",
    "startech rs232 serial null modem adapter",
    "纯棉 四件套 床上用品",
    "logitech gaming mouse usb",
    "耐克 男子 跑步鞋 透气",
    "canon digital camera 20 megapixels",
    "华为 智能手表 运动 心率",
]


@pytest.fixture(scope="module")
async def shipped(budget: ComputeBudget) -> AsyncIterator[RankerEngine]:
    engine = await RankerEngine.open(RankerSettings(), budget)
    yield engine
    await engine.close()


async def test_gives_its_known_answer(shipped: RankerEngine) -> None:
    await shipped.self_test()


@pytest.mark.parametrize(
    ("query", "wanted"),
    [("wireless headphones", 0), ("蓝牙耳机", 1), ("notebook computer", 2), ("笔记本电脑", 3), ("智能手表", 11)],
)
async def test_the_right_product_comes_first(shipped: RankerEngine, query: str, wanted: int) -> None:
    asked = [RankCandidate(f"p{index:02}", text) for index, text in enumerate(PRODUCTS)]
    ranking = await shipped.rank(query, asked, deadline=Deadline.after(60))
    best = {ranked.index for ranked in ranking.ranked[:2]}
    assert wanted in best
    assert len({ranked.score for ranked in ranking.ranked}) == len(PRODUCTS)


async def test_company_hardly_moves_a_score(shipped: RankerEngine) -> None:
    """sentence-transformers#2312 (case 63): alone or in a batch; int8 ranges follow it, so scales go by token."""
    asked = [RankCandidate(f"p{index:02}", text) for index, text in enumerate(PRODUCTS)]
    together = await shipped.rank("蓝牙耳机", asked, deadline=Deadline.after(60))
    spread = together.ranked[0].score - together.ranked[-1].score
    for ranked in together.ranked:
        (alone,) = (await shipped.rank("蓝牙耳机", [asked[ranked.index]], deadline=Deadline.after(60))).ranked
        assert abs(alone.score - ranked.score) < 0.01 * spread
