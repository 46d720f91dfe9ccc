"""REST routes of what was recorded and trained: episodes, labels, checkpoints, runs."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from gmps_robot.data.catalog import EpisodeFilter
from gmps_robot.panel import checkpoints, schema, schema_archive
from gmps_robot.panel.context import Panel, person

OPEN_LABEL = "pending"  # id of a label that the catalogue takes when the episode is saved
EpisodePath = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]
Frame = Annotated[int, Path(ge=0, le=10_000_000)]
Word = Annotated[str | None, Query(max_length=200)]


def _wanted(
    task: Word = None, source: Word = None, operator: Word = None, status: Word = None, flag: Word = None,
    split: Word = None, accepted: bool | None = None,
    label: Annotated[Literal["success", "fail", "none"] | None, Query()] = None,
) -> EpisodeFilter:
    return EpisodeFilter(
        task=task, source=source, operator=operator, status=status, flag=flag, split=split, accepted=accepted,
        success={"success": True, "fail": False}.get(label or ""), labelled=False if label == "none" else None,
    )


Wanted = Annotated[EpisodeFilter, Depends(_wanted)]


def router(panel: Panel) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["archive"])

    @routes.get("/api/episodes")
    def episodes(
        wanted: Wanted, limit: Annotated[int, Query(ge=1, le=500)] = 50,
        offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
    ) -> schema_archive.EpisodesAnswer:
        return panel.archive.episodes(wanted, limit, offset)

    @routes.get("/api/statistics")
    def statistics(wanted: Wanted) -> schema_archive.StatisticsAnswer:
        return panel.archive.statistics(wanted)

    @routes.get("/api/episodes/{episode}")
    def episode(episode: EpisodePath) -> schema_archive.EpisodeAnswer:
        return panel.archive.episode(episode)

    @routes.get(
        "/api/episodes/{episode}/frames/{frame}.jpg", response_class=Response,
        responses={200: {"content": {"image/jpeg": {}}}},
    )
    def frame(episode: EpisodePath, frame: Frame) -> Response:
        # Private, and never another picture under the same name: the browser may keep it.
        keep = {"cache-control": "private, max-age=3600"}
        return Response(panel.archive.frame(episode, frame), media_type="image/jpeg", headers=keep)

    @routes.get("/api/episodes/{episode}/ghost/{frame}")
    def ghost(episode: EpisodePath, frame: Frame) -> schema_archive.GhostAnswer:
        return panel.archive.ghost(episode, frame, panel.bridge.camera())

    @routes.get("/api/episodes/{episode}/signals")
    def signals(episode: EpisodePath) -> schema_archive.SignalsAnswer:
        return panel.archive.signals(episode)

    @routes.post("/api/episodes/{episode}/replay")
    def replay(episode: EpisodePath, request: Request) -> schema.MessageAnswer:
        panel.desk.lease_to_move(person(request))
        return schema.MessageAnswer(message=panel.teaching.replay(episode))

    _add_labels(routes, panel)
    _add_policies(routes, panel)
    return routes


def _add_labels(routes: APIRouter, panel: Panel) -> None:
    @routes.get("/api/episodes/{episode}/labels")
    def labels(episode: EpisodePath) -> schema_archive.LabelsAnswer:
        return panel.archive.labels(episode)

    @routes.post("/api/episodes/{episode}/labels")
    def label(episode: EpisodePath, body: schema_archive.LabelBody, request: Request) -> schema_archive.LabelRow:
        who = person(request).name
        body = panel.teaching.placed(episode, body)
        row = panel.teaching.label(episode, body, who)
        return row or schema_archive.LabelRow(
            id=OPEN_LABEL, kind=body.kind, value=body.value, text=body.text, author=who, created_at="",
            step_from=body.step_from, step_to=body.step_to, supersedes=body.supersedes,
        )


def _add_policies(routes: APIRouter, panel: Panel) -> None:
    @routes.get("/api/checkpoints")
    def known() -> schema_archive.CheckpointsAnswer:
        return schema_archive.CheckpointsAnswer(
            checkpoints=list(checkpoints.known(panel.settings.runs).values()), current=panel.bridge.state().checkpoint
        )

    @routes.post("/api/checkpoint")
    def choose(body: schema_archive.CheckpointBody) -> schema.MessageAnswer:
        panel.bridge.choose_checkpoint(checkpoints.find(body.name, panel.settings.runs))
        return schema.MessageAnswer(message=f"the next session begins from {body.name}")

    @routes.get("/api/runs")
    def runs() -> schema_archive.RunsAnswer:
        return panel.archive.runs()

    @routes.get("/api/runs/{run}")
    def run(run: EpisodePath) -> schema_archive.RunAnswer:
        return panel.archive.run(run)
