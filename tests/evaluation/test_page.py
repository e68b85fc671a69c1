"""The page: its figures are the result's, its charts are pictures, and no title becomes markup."""

import base64
import struct
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from evaluation.bundle_cost import BundleCost
from evaluation.calibration import calibration
from evaluation.intervals import Interval
from evaluation.page import write_page
from evaluation.result import RelevanceResult, ScoredPair
from evaluation.search_orders import ORDERS
from vitrine.errors import FailedPrecondition, InvalidArgument

# Void elements have no end.
_VOID = {"meta", "img"}


class Page(HTMLParser):
    """Tags with their attributes, tables as rows of texts, and whether all that opens closes in order."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: list[list[list[str]]] = []
        self.open: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self.open):
            # An interval stands in small print below its figure.
            self.tables[-1][-1][-1] += f" {data}" if self.open[-1] == "small" else data

    def table(self, corner: str) -> list[list[str]]:
        return next(table for table in self.tables if table[0][0] == corner)


def is_picture(png: bytes) -> bool:
    """Whether these are a PNG's bytes, of a size that shows something."""
    width, height = struct.unpack(">II", png[16:24])
    return png.startswith(b"\x89PNG\r\n\x1a\n") and png.endswith(b"IEND\xaeB`\x82") and min(width, height) > 100


@pytest.fixture(scope="module")
def worse(own_result: RelevanceResult) -> RelevanceResult:
    """The same, but the ranked order of one query was bad before."""
    values = own_result.by_query["ranked"]["judged"]
    by_query = own_result.by_query | {"ranked": {"judged": {**values, "耳机": values["耳机"] - 0.4}}}
    return replace(own_result, by_query=by_query, made_of={**own_result.made_of, "ranker": "sha256:before"})


@pytest.fixture(scope="module")
def page(own_result: RelevanceResult, worse: RelevanceResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    costs = [
        BundleCost(
            letter,
            "embedder",
            name,
            Path("x"),
            "sha256:1",
            1.0,
            Interval(ms, ms, ms, 9),
            Interval(1, 1, 1, 9),
            q,
            "",
            on,
        )
        for letter, name, ms, q, on in (
            ("A", "<i>one</i>", 2.0, Interval(0.9, 0.8, 1.0, 6), True),
            ("B", "two", 3.0, None, False),
        )
    ]
    return write_page(tmp_path_factory.mktemp("page") / "new", [own_result], [worse], costs, worst=3)


def test_the_figures_are_those_of_the_result(page: Path, own_result: RelevanceResult) -> None:
    header, *rows = Page(page).table("order")
    assert [row[0] for row in rows] == list(own_result.figures)
    for order, *cells in rows:
        for metric, cell in zip(header[1:], cells, strict=True):
            figure = own_result.figures[order][metric]
            assert cell == f"{figure.value:.3f} {figure.low:.3f}–{figure.high:.3f}"


def test_slices_per_language_and_band(page: Path, own_result: RelevanceResult) -> None:
    header, *rows = Page(page).table("queries")
    assert [row[:2] for row in rows][:3] == [["all", "6"], ["en", "4"], ["zh", "2"]]
    assert {row[0] for row in rows[3:]} <= {"head", "torso", "tail"}
    values = own_result.by_query["ranked"]["judged"]
    chinese = (values["红鞋"] + values["耳机"]) / 2
    assert rows[2][header.index("ranked")] == f"{chinese:.3f} n = 2", "two queries have no interval"
    popular = Page(page).table("products")
    assert [row[0] for row in popular[1:]] == ["head", "torso", "tail"]


def test_calibration(page: Path, own_result: RelevanceResult) -> None:
    pairs = own_result.pairs
    measured = calibration([p.probability for p in pairs], [p.relevant for p in pairs], [p.query for p in pairs])
    errors = Page(page).table("expected calibration error")[1]
    for cell, figure in zip(errors, (measured.expected_error, measured.brier), strict=True):
        assert cell == f"{figure.value:.3f} {figure.low:.3f}–{figure.high:.3f}"
    rows = Page(page).table("probability")[1:]
    assert [row[3] for row in rows] == [str(one.observed.count) for one in measured.bins]


def test_worst_queries_with_their_lists_side_by_side(page: Path, own_result: RelevanceResult) -> None:
    values = own_result.by_query["ranked"]["judged"]
    worst = sorted(values, key=lambda query: (values[query], query))[0]
    judged, full = [table for table in Page(page).tables if table[0][0] == "" and "nDCG" in "".join(table[0])][:2]
    for place, order in enumerate(ORDERS, 1):
        assert judged[0][place] == f"{order}  nDCG@10 of judged {own_result.by_query[order]['judged'][worst]:.3f}"
        query = own_result.queries[worst]
        for table, ids in ((judged, query.judged[order]), (full, query.full[order])):
            shown = [row[place] for row in table[1:] if row[place]]
            assert shown == [f"{query.grades.get(one, '–')} {own_result.titles[one]}" for one in ids]


def test_comparison(page: Path, own_result: RelevanceResult) -> None:
    parsed = Page(page)
    table = next(table for table in parsed.tables if table[0][:2] == ["order", "metric"])
    row = next(row for row in table if row[:2] == ["ranked", "judged"])
    assert row[5] == "1 / 0 / 5"
    assert row[4].startswith(f"{0.4 / 6:.4f} ")
    moved = next(table for table in parsed.tables if table[0][0].startswith("lost most"))
    assert moved[1] == ["", "", "耳机", "+0.400"]


def test_charts_are_pictures_beside_the_page_and_in_it(page: Path) -> None:
    files = {path.name: path.read_bytes() for path in page.parent.iterdir() if path.suffix == ".png"}
    names = {"figures", "slices", "popularity", "calibration", "gains-1"}
    assert set(files) == {f"1-my-shop-{name}.png" for name in names} | {"bundles-frontier.png"}
    assert all(map(is_picture, files.values()))
    sources = [attributes["src"] or "" for tag, attributes in Page(page).tags if tag == "img"]
    embedded = [base64.b64decode(source.removeprefix("data:image/png;base64,")) for source in sources]
    assert sorted(embedded) == sorted(files.values())


def test_nothing_comes_from_elsewhere_and_nothing_runs(page: Path) -> None:
    parsed = Page(page)
    assert "script" not in {tag for tag, _ in parsed.tags}
    for _, attributes in parsed.tags:
        assert not any(name.startswith("on") for name in attributes)
        assert all(str(attributes.get(name, "#")).startswith(("#", "data:image/png")) for name in ("src", "href"))


def test_hostile_words_stay_words(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "<script" not in text
    assert "onerror=alert(1)&gt;" in text
    assert "&lt;<mark>script</mark>" not in text
    assert '<h2 id="result-1">my &lt;shop&gt;</h2>' in text
    assert "&lt;i&gt;one&lt;/i&gt;" in text
    assert "<i>" not in text
    assert "<b>shoes" not in text
    assert "<mark>shoes</mark>" in text, "the query's words are marked"


def test_pairs(tmp_path: Path, own_result: RelevanceResult) -> None:
    scored = [
        ("耳机", "无线耳机", True, 0.9),
        ("耳机", "<b>包</b>", False, 0.8),
        ("bag", "Bag", True, 0.6),
        ("bag", "Pen", False, 0.1),
    ]
    pairs = [ScoredPair(q, title, int(r), r, p, "one", {"dense": p}) for q, title, r, p in scored]
    result = replace(
        own_result,
        dataset="对",
        kind="pairs",
        pairs=pairs,
        figures={"dense": {"auc 一$": Interval(0.75, 0.5, 1, 4)}},
        by_query={},
        queries={},
        popularity=None,
    )
    page = write_page(tmp_path, [result], [result])
    parsed = Page(page)
    assert parsed.table("pairs")[1:] == [
        ["all", "4", "0.750 n = 4"],
        ["en", "2", "1.000 n = 2"],
        ["zh", "2", "1.000 n = 2"],
    ]
    assert parsed.table("query")[1] == ["耳机", "<b>包</b>", "no", "0.800", "one"], "farthest from what people said"
    assert {path.name for path in tmp_path.glob("*.png")} == {
        f"1-data-{n}.png" for n in ("figures", "slices", "calibration")
    }


def test_several_results_have_a_section_each(tmp_path: Path, own_result: RelevanceResult) -> None:
    page = write_page(tmp_path, [own_result, own_result], worst=0)
    assert [a["id"] for tag, a in Page(page).tags if tag == "h2"] == ["result-1", "result-2"]
    assert len(list(tmp_path.glob("*-figures.png"))) == 2


def test_a_baseline_of_other_data_is_refused_and_nothing_is_written(
    own_result: RelevanceResult, tmp_path: Path
) -> None:
    other = replace(own_result, data_digest="sha256:other")
    with pytest.raises(InvalidArgument, match="other products or grades"):
        write_page(tmp_path / "page", [own_result], [other])
    assert not (tmp_path / "page").exists()


def test_a_result_without_pairs_is_refused(own_result: RelevanceResult, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="no judged pairs"):
        write_page(tmp_path / "page", [replace(own_result, pairs=[])])


def test_a_folder_that_is_a_file_is_refused(own_result: RelevanceResult, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FailedPrecondition, match="the report cannot be written"):
        write_page(tmp_path / "file", [own_result])
