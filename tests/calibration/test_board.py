"""The printed board is as large as it says, in all three formats, and a board that cannot be is refused."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.board import BoardSpec, load_board
from calibration.detect import detect
from calibration.sheet import DOTS, POINT, sheet, svg, write_sheet
from gmps_robot.cli.calibrate.board import BoardOptions, run
from gmps_robot.errors import ConfigError

BOARD = BoardSpec()


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_sheet(sheet(BOARD, "A4"), tmp_path_factory.mktemp("board") / "board")


def test_the_png_shows_the_board_at_true_scale(printed: list[Path]) -> None:
    image = cv2.imread(str(printed[2]))
    seen = detect(cv2.resize(image, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA), BOARD)
    assert seen is not None
    assert len(seen.ids) == len(BOARD.corners)
    measured = (seen.pixels + 0.5) * 4.0 / DOTS * 25.4
    offset = measured - BOARD.corners[:, :2] * 1e3
    np.testing.assert_allclose(offset - offset.mean(0), 0.0, atol=0.05)


def test_pdf_and_svg_hold_the_same_rectangles_in_their_own_units(printed: list[Path]) -> None:
    page = sheet(BOARD, "A4")
    assert f'width="{page.width}mm"' in svg(page)
    in_svg = re.findall(r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"', printed[1].read_text())
    in_pdf = re.findall(rb"([\d.]+) ([\d.]+) ([\d.]+) ([\d.]+) re f", printed[0].read_bytes())
    assert len(in_svg) == len(in_pdf) == len(page.rectangles)
    theirs = np.array(in_pdf, dtype=float) / POINT
    ours = np.array(in_svg, dtype=float)
    np.testing.assert_allclose(theirs[:, [0, 2, 3]], ours[:, [0, 2, 3]], atol=1e-3)
    np.testing.assert_allclose(page.height - theirs[:, 1] - theirs[:, 3], ours[:, 1], atol=1e-3)
    squares = [r for r in page.rectangles if r[2] == pytest.approx(30.0) and r[3] == pytest.approx(30.0)]
    assert len(squares) == 24


def test_the_ruler_is_100_mm() -> None:
    page = sheet(BOARD, "A4")
    ticks = sorted(r[0] for r in page.rectangles if r[2] == 0.2)
    assert ticks[-1] - ticks[0] == pytest.approx(100.0)


def test_the_cross_references_of_the_pdf_point_at_its_objects(printed: list[Path]) -> None:
    data = printed[0].read_bytes()
    places = [int(place) for place in re.findall(rb"(\d{10}) 00000 n", data)]
    assert [data[place:].split(b"\n")[0] for place in places] == [b"%d 0 obj" % (k + 1) for k in range(5)]
    assert int(data.split(b"startxref\n")[1].split(b"\n")[0]) == data.index(b"xref\n0 6")


def test_the_measured_square_goes_into_the_file(tmp_path: Path) -> None:
    assert run(BoardOptions(tmp_path)) == 0
    assert run(BoardOptions(tmp_path, measured_mm=29.85)) == 0
    assert load_board(tmp_path / "board.yaml") == BoardSpec(8, 6, 0.02985, 0.0225 * 29.85 / 30.0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"squares_x": 2}, "at least 3 x 3"), ({"square": 30.0}, "expected metres"), ({"marker": 0.03}, "0.3 to 0.95"),
        ({"dictionary": "DICT_5X5_1000O"}, "did you mean 'DICT_5X5_1000'"),
        ({"dictionary": "DICT_5X5_50", "squares_x": 20}, "more than the 50"),
    ],
)  # fmt: skip
def test_a_board_that_cannot_be_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        BoardSpec(**changes)  # type: ignore[arg-type]


def test_a_board_that_does_not_fit_the_paper_is_refused() -> None:
    with pytest.raises(ConfigError, match="does not fit on A4"):
        sheet(BOARD.measured(0.04), "A4")
