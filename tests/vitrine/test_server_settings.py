"""Server settings from the environment."""

import pytest
from pydantic import ValidationError
from pydantic_settings import SettingsConfigDict

from vitrine.server_settings import ServerSettings


class ShopSettings(ServerSettings):
    """Settings of a service, as services make them."""

    model_config = SettingsConfigDict(env_prefix="VITRINE_SHOP_", frozen=True)


def test_each_service_reads_its_own_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITRINE_SHOP_PORT", "6000")
    monkeypatch.setenv("VITRINE_SERVER_PORT", "7000")
    monkeypatch.setenv("PORT", "8000")
    assert (ShopSettings().port, ServerSettings().port) == (6000, 7000)


@pytest.mark.parametrize(
    ("name", "value"),
    [("PORT", "65536"), ("PORT", "-1"), ("PORT", "http"), ("DEFAULT_TIMEOUT_S", "0"), ("LOG_LEVEL", "loud")],
)
def test_a_wrong_value_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"VITRINE_SHOP_{name}", value)
    with pytest.raises(ValidationError, match=name.lower()):
        ShopSettings()
