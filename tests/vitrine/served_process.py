"""A serving process for tests: loads until its input says "go", and holds each call until its input says "answer".

It prints the text of each call that it holds.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from vitrine.call import Context
from vitrine.server import SelfTest, serve
from vitrine.server_settings import ServerSettings
from vitrine.v1 import embedder_service_pb2, embedder_service_pb2_grpc


class _Held(embedder_service_pb2_grpc.EmbedderServiceServicer):
    def __init__(self, answer: asyncio.Event) -> None:
        self._answer = answer

    async def Embed(self, request: Any, context: Context) -> Any:
        print(request.texts[0], flush=True)
        await self._answer.wait()
        return embedder_service_pb2.EmbedResponse(prompt=request.texts[0])


async def _passes() -> None:
    pass


@asynccontextmanager
async def _part(server: Any) -> AsyncIterator[SelfTest]:
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    answer = asyncio.Event()

    async def read() -> None:
        while line := await lines.readline():
            if line == b"answer\n":
                answer.set()

    assert await lines.readline() == b"go\n"
    embedder_service_pb2_grpc.add_EmbedderServiceServicer_to_server(_Held(answer), server.grpc)
    reading = asyncio.create_task(read())
    yield _passes
    reading.cancel()
    print("closed", flush=True)


if __name__ == "__main__":
    settings = ServerSettings(port=int(sys.argv[1]), grace_s=60)
    asyncio.run(serve("held", settings, ["vitrine.v1.EmbedderService"], _part))
