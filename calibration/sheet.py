"""A board as a sheet to print: the same rectangles as PDF, SVG and PNG, at true scale, with a ruler."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from calibration.board import BoardSpec
from gmps_robot.errors import ConfigError

PAPERS = {"A4": (297.0, 210.0), "A3": (420.0, 297.0), "A2": (594.0, 420.0), "letter": (279.4, 215.9)}  # [mm], landscape
MARGIN, FOOT = 7.0, 12.0  # kept free by printers; for ruler and text [mm]
DOTS = 600  # per inch, of the PNG
POINT = 72.0 / 25.4  # PDF units per mm
RULER = 100.0  # [mm]

Rectangle = tuple[float, float, float, float]  # x, y of the top left corner, width, height [mm]
Label = tuple[float, float, float, str]  # x, y of the base line, height [mm], text


@dataclass(frozen=True)
class Sheet:
    """Black on white, in millimetres from the top left corner."""

    width: float
    height: float
    rectangles: tuple[Rectangle, ...]
    labels: tuple[Label, ...]


def sheet(board: BoardSpec, paper: str) -> Sheet:
    """Lay the board out in the middle of a sheet of paper, landscape, above a ruler of 100 mm.

    Raises:
        ConfigError: an unknown paper, or the board does not fit on it.
    """
    if paper not in PAPERS:
        raise ConfigError(f"paper {paper!r}; valid: {', '.join(PAPERS)}")
    width, height = PAPERS[paper]
    wide, high = board.width * 1e3, board.height * 1e3
    if wide > width - 2 * MARGIN or high > height - 2 * MARGIN - FOOT:
        raise ConfigError(
            f"a board of {wide:.0f} x {high:.0f} mm does not fit on {paper} ({width:.0f} x {height:.0f} mm, margins "
            "and ruler): smaller squares, fewer of them, or larger paper"
        )
    left, top = (width - wide) / 2.0, (height - FOOT - high) / 2.0
    cells = [(left + x, top + y, w, h) for x, y, w, h in _cells(board)]
    base = height - MARGIN - 4.0
    ticks = [4.0 if k % 10 == 0 else 2.5 if k % 5 == 0 else 1.5 for k in range(int(RULER) + 1)]
    ruler = [(left + k, base - tick, 0.2, tick) for k, tick in enumerate(ticks)]
    line = (left, base, RULER + 0.2, 0.2)
    told = (
        f"{board.squares_x} x {board.squares_y} squares of {board.square * 1e3:g} mm, {board.dictionary}. "
        "Print at 100 %: this ruler is 100 mm. Then measure the squares."
    )
    return Sheet(width, height, (*cells, *ruler, line), ((left, base + 4.0, 2.8, told),))


def write_sheet(page: Sheet, stem: Path) -> list[Path]:
    """Write `stem`.pdf, .svg and .png; returns them."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    paths = [stem.with_suffix(f".{kind}") for kind in ("pdf", "svg", "png")]
    paths[0].write_bytes(pdf(page))
    paths[1].write_text(svg(page), encoding="utf-8")
    _write_png(page, paths[2])
    return paths


def svg(page: Sheet) -> str:
    """Return the sheet as SVG, one user unit per millimetre."""
    body = [f'<rect x="{x:.4f}" y="{y:.4f}" width="{w:.4f}" height="{h:.4f}"/>' for x, y, w, h in page.rectangles]
    body += [
        f'<text x="{x}" y="{y}" font-family="sans-serif" font-size="{size}">{text}</text>'
        for x, y, size, text in page.labels
    ]
    head = f'width="{page.width}mm" height="{page.height}mm" viewBox="0 0 {page.width} {page.height}"'
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" {head} shape-rendering="crispEdges">', *body, "</svg>", ""]
    return "\n".join(lines)


def pdf(page: Sheet) -> bytes:
    """Return the sheet as a PDF of one page, all rectangles as vectors."""
    drawn = [
        f"{x * POINT:.4f} {(page.height - y - h) * POINT:.4f} {w * POINT:.4f} {h * POINT:.4f} re f"
        for x, y, w, h in page.rectangles
    ]
    drawn += [
        f"BT /F1 {size * POINT:.2f} Tf {x * POINT:.3f} {(page.height - y) * POINT:.3f} Td ({text}) Tj ET"
        for x, y, size, text in page.labels
    ]
    content = "\n".join(drawn).encode()
    box = f"[0 0 {page.width * POINT:.4f} {page.height * POINT:.4f}]"
    font = "/Resources << /Font << /F1 5 0 R >> >>"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R /ViewerPreferences << /PrintScaling /None >> >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox {box} /Contents 4 0 R {font} >>".encode(),
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    end = b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, len(out))
    return out + b"xref\n0 %d\n0000000000 65535 f \n" % size + table + end


def _cells(board: BoardSpec) -> list[Rectangle]:
    """The black parts of the board [mm]: whole squares, and the dark cells of the markers in the white ones."""
    bits = _marker_bits(board)
    pixels = 2 * (bits + 2) * round(board.square / board.marker * 8)
    picture = board.picture(pixels) < 128
    unit = board.square * 1e3 / pixels
    found: list[Rectangle] = []
    for row in range(board.squares_y):
        for column in range(board.squares_x):
            part = picture[row * pixels : (row + 1) * pixels, column * pixels : (column + 1) * pixels]
            corner = np.array([column, row]) * pixels
            found += [
                ((corner[0] + x) * unit, (corner[1] + y) * unit, w * unit, h * unit) for x, y, w, h in _runs(part)
            ]
    return found


def _runs(part: np.ndarray) -> list[tuple[int, int, int, int]]:
    """Black rectangles of one square: equal rows joined, each row's runs apart."""
    edges = [0, *(np.flatnonzero((part[1:] != part[:-1]).any(1)) + 1), len(part)]
    found = []
    for top, bottom in pairwise(edges):
        steps = np.diff(np.concatenate([[0], part[top].astype(np.int8), [0]]))
        starts, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
        found += [(int(a), int(top), int(b - a), int(bottom - top)) for a, b in zip(starts, ends, strict=True)]
    return found


def _marker_bits(board: BoardSpec) -> int:
    return int(cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, board.dictionary)).markerSize)


def _write_png(page: Sheet, path: Path) -> None:
    from PIL import Image, ImageDraw, ImageFont

    scale = DOTS / 25.4
    image = Image.new("1", (round(page.width * scale), round(page.height * scale)), 1)
    drawn = ImageDraw.Draw(image)
    for x, y, w, h in page.rectangles:
        low, high = (round(x * scale), round(y * scale)), (round((x + w) * scale) - 1, round((y + h) * scale) - 1)
        drawn.rectangle((low, high), fill=0)
    for x, y, size, text in page.labels:
        drawn.text((x * scale, (y - size) * scale), text, fill=0, font=ImageFont.load_default(size * scale))
    image.save(path, dpi=(DOTS, DOTS))
