"""Campaigns from files: a campaign on each line of JSON, or one sponsored product on each row of a table."""

from pathlib import Path
from typing import Any

from google.protobuf import json_format

from vitrine.errors import invalid
from vitrine.rows import Row, RowFile
from vitrine.v1 import ad_service_pb2

_OF_PRODUCT = ("product_id", "bid")
_YES, _NO = ("true", "1", "yes"), ("false", "0", "no")


def campaigns_of(path: Path) -> list[ad_service_pb2.Campaign]:
    """The file's campaigns, in order; rows of a table that name the same id make one.

    Raises InvalidArgument naming the line that is wrong.
    """
    file = RowFile(path)
    is_table = file.format[0] in (".csv", ".tsv", ".parquet")
    campaigns: dict[str, tuple[dict[str, Any], ad_service_pb2.Campaign]] = {}
    for row in file.rows():
        if row.fault:
            raise _wrong(row, row.fault)
        values, product = _divided(row) if is_table else (row.values, None)
        campaign_id = str(values.get("id", ""))
        if campaign_id not in campaigns:
            campaigns[campaign_id] = (values, _parsed(row, values, ad_service_pb2.Campaign()))
        elif not is_table:
            raise _wrong(row, f"names campaign {campaign_id!r}, as a line before it does; give each once")
        elif values != campaigns[campaign_id][0]:
            raise _wrong(row, f"says something else of campaign {campaign_id!r} than its first row; make them alike")
        if product is not None:
            _parsed(row, product, campaigns[campaign_id][1].products.add())
    return [campaign for _, campaign in campaigns.values()]


def _divided(row: Row) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a row of a table says of the campaign, and of the product; an empty cell says nothing."""
    given = {name: value for name, value in row.values.items() if value not in ("", None)}
    if isinstance(paused := given.get("paused"), str):
        if paused.lower() not in (*_YES, *_NO):
            raise _wrong(row, f"paused: is {paused!r}; write true or false")
        given["paused"] = paused.lower() in _YES
    product = {name: given.pop(name) for name in _OF_PRODUCT if name in given}
    return given, product


def _parsed(row: Row, values: dict[str, Any], message: Any) -> Any:
    try:
        return json_format.ParseDict(values, message)
    # What is beyond a float, and a name that holds half of a surrogate pair.
    except (json_format.ParseError, OverflowError, SystemError) as error:
        raise _wrong(row, str(error)) from error


def _wrong(row: Row, fault: str) -> Exception:
    return invalid(f"line {row.line}", fault)
