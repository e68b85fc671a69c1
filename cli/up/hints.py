"""What `vitrine up` prints when it is up."""

from gateway.settings import GatewaySettings


def hints(settings: GatewaySettings) -> str:
    """A line for grpcurl and one for curl that work as they stand."""
    grpc, http = f"{settings.host}:{settings.port}", f"http://{settings.host}:{settings.http_port}"
    return f"""
Vitrine is up: gRPC on {grpc}, HTTP on {http}. Try

  grpcurl -plaintext -d '{{"query": "智能手表", "page_size": 3}}' {grpc} vitrine.v1.SearchService/Search

  curl -s {http}/recommend -H 'Content-Type: application/json' -d '{{"query": "智能手表", "top_n": 5}}'

Ctrl-C stops it."""
