"""docs/examples.md has what `make examples` runs, and its calls by curl work as they stand."""

import asyncio
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from examples.client import CLIENTS
from gateway.events.settings import EventsSettings
from tests.gateway.events.conftest import events_settings, raw, store_server
from vitrine.v1 import search_service_pb2

__all__ = ["events_settings", "raw", "store_server"]
PAGE = (Path(__file__).parents[2] / "docs/examples.md").read_text()
CALLS = re.findall(r"^```bash\n(curl .*?)\n```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_the_page_has_the_commands_that_are_run(client: Any) -> None:
    text = PAGE[PAGE.index(f"cd examples/{client.name}\n") :]
    for command in (*client.build, client.run):
        assert command in text[: text.index("```")], f"docs/examples.md lacks {command!r} for {client.name}"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_the_calls_by_curl_are_answered(open_shop: Any, events_settings: EventsSettings) -> None:
    shop = await open_shop(own_catalogue=True, events=events_settings)
    async with shop.gateway.http() as port:
        environment = {**os.environ, "HTTP": f"http://127.0.0.1:{port}", "KEY": "none", "NO_PROXY": "*"}
        said = []
        for call in CALLS:
            process = await asyncio.create_subprocess_shell(call, stdout=asyncio.subprocess.PIPE, env=environment)
            said.append((await process.communicate())[0].decode())
            assert process.returncode == 0
    searched, event, offers, bad_filter, many = said
    assert len(json.loads(searched)["results"]) == 1
    assert set(json.loads(searched)) <= {
        field.json_name for field in search_service_pb2.SearchResponse.DESCRIPTOR.fields
    }
    assert json.loads(event) == {"outcomes": [{"id": "5f0c2c1e"}]}
    assert [outcome["status"]["code"] for outcome in json.loads(offers)["outcomes"]] == [5, 5]
    assert json.loads(bad_filter)["details"][-1]["debug"]["fieldViolations"][0]["field"] == "filter.expression"
    assert many.split() == ["60", "200", "retry", "after", "s"]
