"""One HTML file that shows a calibration: the verdict first, then the numbers, then why one may believe them."""

from __future__ import annotations

import base64
import io
from html import escape
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from calibration import report_pictures as pictures
from calibration.capture import Capture, read_image
from calibration.coverage import coverage, hint
from calibration.hand_eye import hands, seen_poses
from calibration.solution import HELD_OUT, RMS_PIXELS, HeldOut, Interval, Solution
from calibration.solve import Solved

STYLE = """
body{font:16px/1.5 system-ui,"Segoe UI",Roboto,sans-serif;color:#1c2127;background:#f4f6f8;margin:0}
main{max-width:1080px;margin:0 auto;padding:24px}
h1{font-size:26px;margin:0 0 4px}h2{font-size:18px;margin:32px 0 8px}p{margin:4px 0 12px}
.verdict{border-radius:10px;padding:16px 20px;color:#fff;font-size:20px;font-weight:700;margin:16px 0}
.good{background:#1b8a4b}.bad{background:#b3261e}
table{border-collapse:collapse;background:#fff;width:100%;border-radius:8px;overflow:hidden}
th,td{text-align:left;padding:8px 12px;border-bottom:1px solid #e3e7ec;font-variant-numeric:tabular-nums}
th{background:#e9edf2;font-weight:600}td.n,th.n{text-align:right}
.ok{color:#14683a;font-weight:700}.no{color:#b3261e;font-weight:700}
figure{margin:0 0 12px;background:#fff;border-radius:8px;padding:8px}figure img{width:100%;display:block}
figcaption{color:#56616e;font-size:14px;padding:4px 4px 0}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:12px}@media(max-width:800px){.pair{grid-template-columns:1fr}}
small{color:#56616e}
"""


def write_report(path: Path, directory: Path, capture: Capture, solution: Solution, solved: Solved) -> None:
    """Write the report of a solved capture to `path`, pictures included.

    Raises:
        CalibrationError: an image that is shown cannot be read any more.
    """
    seen = seen_poses(solved.sightings, solution.camera)
    state = coverage(
        [view.corners for view in solved.sightings.views], list(seen), list(hands(solved.sightings)),
        capture.board, solution.camera,
    )
    typical = solved.sightings.views[int(np.argsort(solved.errors.position)[len(solved.errors.position) // 2])]
    entry = next(view for view in capture.views if view.image == typical.name)
    image = read_image(directory, capture, entry)
    twin = pictures.twin_picture(solution, typical.joints)
    body = [
        _head(solution), _verdict(solution), _bars(solution), _camera(solution),
        "<h2>Does it predict what it has not seen?</h2>",
        _figure(pictures.left_out(solved), "Every view was left out once; the arm alone says where its board must be."),
        _figure(pictures.laid_over(solution, solved, typical, image, twin),
                "The view of median error. Right: the twin drawn by the solved camera, over the undistorted frame."),
        _methods(solution),
        "<h2>Is the lens right?</h2>",
        _figure(pictures.arrows(solved), "Arrows that point one way in a region: a term of the lens is missing."),
        f'<div class="pair">{_figure(pictures.regions(solved), "Even from the middle to the edges is good.")}'
        f'{_figure(pictures.covered(state), "Where nothing was seen, the lens is a guess.")}</div>',
        _figure(pictures.straightened(solution, image), "Straight edges must be straight on the right."),
        "<h2>Was enough shown?</h2>",
        f"<p>What another view would best show: <b>{escape(hint(state))}</b>.</p>",
        _figure(pictures.motions(solved, seen, state), "Tilts every way, near and far, rotations about two axes."),
        _dropped(solution),
    ]  # fmt: skip
    page = "\n".join(body)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Calibration {escape(solution.capture)}</title><style>{STYLE}</style><main>{page}</main></html>\n",
        encoding="utf-8",
    )


def _head(solution: Solution) -> str:
    who = "the arm holds the board" if solution.setup == "eye_to_hand" else "the hand holds the camera"
    board = solution.board
    return (
        f"<h1>Calibration of a {solution.camera.width}x{solution.camera.height} camera</h1><p>{who}; "
        f"{len(solution.views)} views of a board of {board.squares_x} x {board.squares_y} squares of "
        f"{board.square * 1e3:.2f} mm; "
        f"<small>capture {solution.capture}, solved {escape(solution.date)}</small></p>"
    )


def _verdict(solution: Solution) -> str:
    if solution.passed:
        return '<div class="verdict good">PASSED: good enough for tasks of centimetres</div>'
    return '<div class="verdict bad">FAILED: a threshold is missed; do not apply this calibration</div>'


def _bars(solution: Solution) -> str:
    held = solution.held_out
    intrinsics = Interval(solution.intrinsics_rms, np.nan, np.nan)
    rows = [_bar("intrinsics, views used", intrinsics, RMS_PIXELS, "px", 1.0)]
    for what, interval, bar, unit, scale in (
        ("corners, left-out views", held.pixel, HELD_OUT[0], "px", 1.0),
        ("board's place, left-out views", held.position, HELD_OUT[1], "mm", 1e3),
        ("board's attitude, left-out views", held.rotation, HELD_OUT[2], "deg", 1.0),
    ):  # fmt: skip
        rows.append(_bar(what, interval, bar, unit, scale))
    numbers = "".join(f'<th class="n">{name}</th>' for name in ("error (rms)", "95 % interval", "at most"))
    return f"<table><tr><th>what</th>{numbers}<th></th></tr>{''.join(rows)}</table>"


def _bar(what: str, interval: Interval, bar: float, unit: str, scale: float) -> str:
    good = interval.value <= bar
    between = "" if np.isnan(interval.low) else f"{interval.low * scale:.3f} to {interval.high * scale:.3f}"
    told = '<span class="ok">pass</span>' if good else '<span class="no">MISS</span>'
    return (
        f'<tr><td>{what}</td><td class="n">{interval.value * scale:.3f} {unit}</td><td class="n">{between}</td>'
        f'<td class="n">{bar * scale:g} {unit}</td><td>{told}</td></tr>'
    )


def _camera(solution: Solution) -> str:
    camera, sure = solution.camera, solution.deviations
    names = ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3")
    values = (camera.fx, camera.fy, camera.cx, camera.cy, *camera.distortion)
    lens = "".join(
        f'<tr><td>{name}</td><td class="n">{value:.5g}</td><td class="n">± {1.96 * s:.2g}</td></tr>'
        for name, value, s in zip(names, values, sure, strict=True) if s > 0.0
    )  # fmt: skip
    sigma = np.sqrt(np.diag(np.reshape(solution.covariance, (6, 6))))
    place = "".join(
        f'<tr><td>{axis}</td><td class="n">{value * 1e3:.2f} mm</td><td class="n">± {1.96e3 * s:.2f} mm</td></tr>'
        for axis, value, s in zip("xyz", solution.camera_pose.position, sigma[:3], strict=True)
    )
    turn = "".join(
        f'<tr><td>about {axis}</td><td class="n"></td><td class="n">± {np.rad2deg(1.96 * s):.3f} deg</td></tr>'
        for axis, s in zip("xyz", sigma[3:], strict=True)
    )
    parent = "base" if solution.setup == "eye_to_hand" else "hand"
    arm = f"{solution.arm_position * 1e3:.2f} mm and {solution.arm_rotation:.3f} deg on each axis"
    return (
        '<h2>The camera, with 95 % intervals</h2><div class="pair">'
        f'<table><tr><th>lens</th><th class="n">value</th><th></th></tr>{lens}</table>'
        f'<table><tr><th>place in {parent}</th><th class="n">value</th><th></th></tr>{place}{turn}</table></div>'
        f"<p><small>As these views tell, the arm's poses are off by {arm}, corners by {solution.pixel_noise:.3f} px."
        "</small></p>"
    )


def _methods(solution: Solution) -> str:
    def row(name: str, errors: HeldOut) -> str:
        cells = (errors.pixel.value, errors.position.value * 1e3, errors.rotation.value)
        told = "".join(f'<td class="n">{value:.3f}</td>' for value in cells)
        return f"<tr><td>{'<b>bundle adjustment (used)</b>' if name == 'BUNDLE' else name}</td>{told}</tr>"

    rows = "".join(row(*entry) for entry in sorted(solution.methods.items(), key=lambda e: e[1].position.value))
    head = '<th>method</th><th class="n">px</th><th class="n">mm</th><th class="n">deg</th>'
    return f"<h2>Methods, on the same left-out views</h2><table><tr>{head}</tr>{rows}</table>"


def _dropped(solution: Solution) -> str:
    if not solution.dropped:
        return "<h2>Views left out</h2><p>None.</p>"
    rows = "".join(f"<tr><td>{escape(n)}</td><td>{escape(why)}</td></tr>" for n, why in solution.dropped.items())
    return f"<h2>Views left out</h2><table>{rows}</table>"


def _figure(figure: Figure, caption: str) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    data = base64.b64encode(buffer.getvalue()).decode()
    text = escape(caption)
    return f'<figure><img alt="{text}" src="data:image/png;base64,{data}"><figcaption>{text}</figcaption></figure>'
