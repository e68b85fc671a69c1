"""What `vitrine up` prints when it is up."""

from gateway.auth.settings import AuthSettings
from gateway.settings import GatewaySettings
from vitrine.client.settings import ClientSettings
from vitrine.tls import TlsSettings


def hints(settings: GatewaySettings) -> str:
    """A line for grpcurl and one for curl that work as they stand, where keys are set with the key put in."""
    grpc, scheme, grpc_how, curl_how = f"{settings.host}:{settings.port}", "http", "-plaintext ", ""
    if settings.tls(TlsSettings()) is not None:
        client = ClientSettings()
        files = {"cacert": client.ca, "cert": client.certificate, "key": client.key}
        said = [f"-{name} {file} " for name, file in files.items() if file and str(file) != "public"]
        scheme, grpc_how, curl_how = "https", "".join(said), "".join(f"-{one}" for one in said)
    if AuthSettings().closed:
        header = '-H "x-api-key: $VITRINE_CLIENT_API_KEY" '
        grpc_how, curl_how = grpc_how + header, curl_how + header
    http = f"{scheme}://{settings.host}:{settings.http_port}"
    page = f" The shop's page: {http}/" if settings.storefront else ""
    page += f" The operators': {http}/ops" if settings.ops else ""
    return f"""
Vitrine is up: gRPC on {grpc}, HTTP on {http}.{page} Try

  grpcurl {grpc_how}-d '{{"query": "智能手表", "page_size": 3}}' {grpc} vitrine.v1.SearchService/Search

  curl -s {curl_how}{http}/recommend -H 'Content-Type: application/json' -d '{{"query": "智能手表", "top_n": 5}}'

Ctrl-C stops it."""
