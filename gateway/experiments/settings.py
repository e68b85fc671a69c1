"""What can be set of experiments: environment variables VITRINE_EXPERIMENTS_…"""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ExperimentsSettings(BaseSettings):
    """Where experiments are defined."""

    model_config = SettingsConfigDict(env_prefix="VITRINE_EXPERIMENTS_", frozen=True)

    file: Path | None = Field(None, description="TOML file of experiments, read anew when it changes; unset: none")
