"""A mapping file: which columns a product's fields come from, and how they are turned."""

import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from vitrine.errors import invalid


class Source(BaseModel):
    """Where one field comes from: a `column`, several `columns` (the first that is filled, or all for a list),
    or a fixed `value`. Numbers are multiplied by `scale`; text becomes a list at each `split`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    columns: tuple[str, ...] = ()
    value: str = ""
    scale: float = Field(1.0, gt=0)
    split: str = ""

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if bool(self.columns) == bool(self.value):
            raise ValueError("give either column(s) or a value")
        return self


def _as_source(entry: Any) -> Any:
    if isinstance(entry, str):
        return {"columns": (entry,)}
    if isinstance(entry, dict) and "column" in entry:
        return {**{name: kept for name, kept in entry.items() if name != "column"}, "columns": (entry["column"],)}
    return entry


FieldSource = Annotated[Source, BeforeValidator(_as_source)]


class Fields(BaseModel):
    """A source for each field of a product that the file has."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: FieldSource
    title: FieldSource
    brand: FieldSource | None = None
    categories: FieldSource | None = None
    description: FieldSource | None = None
    price: FieldSource | None = None
    original_price: FieldSource | None = None
    currency_code: FieldSource | None = None
    availability: FieldSource | None = None
    image_uris: FieldSource | None = None
    language: FieldSource | None = None
    update_time: FieldSource | None = None
    kind: FieldSource | None = None
    about_product_ids: FieldSource | None = None
    rating: FieldSource | None = None

    def sources(self) -> dict[str, Source]:
        """The sources that are set, by field."""
        return {name: source for name in type(self).model_fields if (source := getattr(self, name)) is not None}


class Attributes(BaseModel):
    """Where attributes come from: one column that holds them all by name, columns by prefix, columns by name.

    With `drop_oversized` an attribute beyond the catalogue's limits is left out and counted; without, its row is
    refused.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str = ""
    prefixes: tuple[str, ...] = ()
    columns: dict[str, str] = Field(default_factory=dict)
    drop_oversized: bool = False


class Mapping(BaseModel):
    """What a mapping file holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fields: Fields
    attributes: Attributes = Attributes()


def load_mapping(path: Path | None) -> Mapping:
    """The mapping in a TOML file; a bare name is one that ships ("icecat"); None: the catalogue's own field names.

    Raises InvalidArgument naming the entry that is wrong.
    """
    shipped = resources.files("vitrine").joinpath("mappings")
    if path is None or (len(path.parts) == 1 and not path.suffix):
        name = f"{path or 'native'}.toml"
        names = sorted(file.name.removesuffix(".toml") for file in shipped.iterdir() if file.name.endswith(".toml"))
        if name.removesuffix(".toml") not in names:
            raise invalid("--mapping", f"no mapping {path} ships; give one of {', '.join(names)}, or a .toml file")
        data = shipped.joinpath(name).read_bytes()
    elif path.is_file():
        data = path.read_bytes()
    else:
        raise invalid("--mapping", f"there is no file {path}")
    try:
        return Mapping.model_validate(tomllib.loads(data.decode()))
    except ValidationError as error:
        fault = error.errors()[0]
        raise invalid("--mapping", f"{path}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}") from error
    except (ValueError, RecursionError) as error:  # TOML that is none, or bytes that are not UTF-8
        raise invalid("--mapping", f"{path} is not TOML: {error}") from error
