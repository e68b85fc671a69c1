"""The ledger: what may be there after what was acknowledged, and nothing else."""

from typing import Any

import grpc.aio
import pytest

from loadtest.faults.ledger import Ledger
from loadtest.faults.shop import shop


async def test_nothing_that_was_tried_before_an_acknowledged_delete_may_be_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def away(_product: Any) -> None:
        raise ValueError("away")

    async def deleted(_product_id: str) -> None:
        pass

    async def no_events() -> set[str]:
        return set()

    async def there(_product_id: str) -> str:
        return tried

    async with grpc.aio.insecure_channel("127.0.0.1:1") as channel:
        [product] = shop(1)
        ledger = Ledger(channel, [product])
        fakes = (("_upsert", away), ("_delete", deleted), ("_title", there), ("_events_there", no_events))
        for name, fake in fakes:
            monkeypatch.setattr(ledger, name, fake)
        for number in range(3):
            with pytest.raises(ValueError, match="away"):
                await ledger.write_product(number)
        tried = ""
        assert await ledger.lost() == []
        await ledger.write_product(3)
        assert await ledger.lost() == []
        tried = f"{product.title} 2"
        assert await ledger.lost() == [f"{product.id} is {tried!r}, not 'gone'"]
