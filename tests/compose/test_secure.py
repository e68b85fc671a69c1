"""The suite behind keys and certificates: `.ci/compose-test` names docker-compose.secure.yml for it."""

import os
import shutil
import ssl
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from gateway.auth.api_keys import add_key, new_key, remove_key
from gateway.auth.scopes import Scope
from tests.compose.suite import SERVICES, TARGET, Client, address, compose, eventually, ids, inspect, up
from tests.vitrine.certificates import Authority
from vitrine.health_probe import is_serving
from vitrine.product import Product
from vitrine.tls import ClientTls, Identity

PORTS = {"embedder": 50052, "retriever": 50053, "ranker": 50054}
HOSTS = ("embedder", "retriever", "ranker", "gateway", "127.0.0.1")
CONTAINER_USER = 10001


class Secure:
    """What the suite's operator has: an authority, the folders of certificates and keys, and two keys."""

    def __init__(self, folder: Path) -> None:
        self.tls, self.keys = folder / "tls", folder / "keys" / "keys.json"
        for path in (folder, self.tls, self.keys.parent):
            path.mkdir(exist_ok=True)
            path.chmod(0o755)
        self.authority = Authority(self.tls)
        self.renew()
        self.shop, self.staff = self._key("shop", Scope.SEARCH), self._key("staff", Scope.CATALOGUE)
        # Its user in the containers, and nobody else.
        os.chown(self.keys, CONTAINER_USER, CONTAINER_USER)

    def _key(self, name: str, scope: Scope) -> str:
        text, kept = new_key(name, (scope,), None, None)
        add_key(self.keys, kept)
        return text

    def renew(self) -> None:
        """Puts another certificate of the same authority in place of the one that is there."""
        made = self.authority.issue("made", hosts=HOSTS)
        for path, name in ((self.authority.file, "ca.crt"), (made.certificate, "tls.crt"), (made.key, "tls.key")):
            fresh = self.tls / f"{name}.partial"
            shutil.copyfile(path, fresh)
            fresh.replace(self.tls / name)

    @property
    def tls_of_parts(self) -> ClientTls:
        """How the suite's own processes reach one another."""
        return ClientTls(self.tls / "ca.crt", Identity(self.tls / "tls.crt", self.tls / "tls.key"))

    def shown(self) -> str:
        """The certificate that the gateway shows now."""
        return ssl.get_server_certificate(("127.0.0.1", 50051), ca_certs=str(self.tls / "ca.crt"))


@contextmanager
def caller(secure: Secure, key: str = "") -> Iterator[Client]:
    """A caller from outside who trusts the authority; with a key where one is given."""
    tls = grpc.ssl_channel_credentials((secure.tls / "ca.crt").read_bytes())
    if key:
        tls = grpc.composite_channel_credentials(tls, grpc.access_token_call_credentials(key))
    with grpc.secure_channel(TARGET, tls) as channel:
        yield Client(channel)


@pytest.fixture(scope="module")
def secure(shop: list[Product]) -> Iterator[Secure]:
    """The suite up behind its keys, with the shop in it."""
    # Read by containers: below folders that only this user may enter they would see nothing.
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        secure = Secure(Path(folder))
        patch.setenv("VITRINE_TLS_DIR", str(secure.tls))
        patch.setenv("VITRINE_KEYS_DIR", str(secure.keys.parent))
        up()
        with caller(secure, secure.staff) as client:
            client.upsert(shop[:20])
        yield secure
        compose("down", "--volumes")


def refusal(call: Callable[[], object]) -> grpc.RpcError:
    """How the call is refused."""
    with pytest.raises(grpc.RpcError) as refused:
        call()
    return refused.value


def test_who_calls_the_gateway_needs_tls_a_key_and_its_scope(secure: Secure, shop: list[Product]) -> None:
    with grpc.insecure_channel(TARGET) as channel:
        assert refusal(lambda: Client(channel).search("手机")).code() == grpc.StatusCode.UNAVAILABLE
    with caller(secure) as stranger:
        refused = refusal(lambda: stranger.search("手机"))
        assert refused.code() == grpc.StatusCode.UNAUTHENTICATED
    with caller(secure, secure.shop) as customer:
        answer = customer.search(shop[1].title)
        assert shop[1].id in ids(answer)
        # Each part was reached over mutual TLS.
        assert list(answer.degradations) == []
        assert answer.rank_depth > 0
        assert refusal(lambda: customer.upsert(shop[:1])).code() == grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize("service", PORTS)
def test_a_part_answers_only_who_shows_a_certificate_of_the_suite(secure: Secure, service: str, tmp_path: Path) -> None:
    target = f"{address(service)}:{PORTS[service]}"
    mine = replace(secure.tls_of_parts, server_name=service)
    foreign = Authority(tmp_path).issue("foreign", hosts=HOSTS)
    assert is_serving(target, tls=mine)
    assert not is_serving(target)
    assert not is_serving(target, tls=replace(mine, identity=None))
    assert not is_serving(target, tls=replace(mine, identity=foreign))


def test_certificates_are_renewed_and_a_key_is_revoked_while_searches_go_on(
    secure: Secure, shop: list[Product]
) -> None:
    started = {service: inspect(service)["State"]["StartedAt"] for service in SERVICES}
    before, after = secure.shown(), ""
    with caller(secure, secure.shop) as open_before:
        open_before.search(shop[2].title)
        secure.renew()
        after = secure.shown()
        assert after != before
        # Longer than a client takes to look at its files: the gateway comes to the parts with the new certificate.
        for number in range(8):
            with caller(secure, secure.shop) as new:
                for client in (open_before, new):
                    assert list(client.search(f"{shop[number].title} {number}", rank_depth=1).degradations) == []
        remove_key(secure.keys, "shop")
        eventually(lambda: _is_stranger(open_before, shop[3].title))
    assert {service: inspect(service)["State"]["StartedAt"] for service in SERVICES} == started


def _is_stranger(client: Client, query: str) -> bool:
    try:
        client.search(query)
    except grpc.RpcError as error:
        return bool(error.code() == grpc.StatusCode.UNAUTHENTICATED)
    return False
