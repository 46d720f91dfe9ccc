"""REST routes of teaching: the lease, the plan, the scene, the recorder."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from gmps_robot import families
from gmps_robot.control.lease import LEASE_LIFE
from gmps_robot.errors import CatalogError, SessionError
from gmps_robot.panel import schema
from gmps_robot.panel.auth import Person
from gmps_robot.panel.context import Panel, person
from gmps_robot.tasks import Split


def router(panel: Panel) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["teach"])

    @routes.post("/api/lease")
    def lease(body: schema.LeaseBody, request: Request) -> schema.LeaseAnswer:
        return _lease(panel, body, person(request))

    @routes.get("/api/camera")
    def camera() -> schema.CameraAnswer:
        view = panel.bridge.camera()
        if view is None:
            raise CatalogError("it is not known how the shown picture sees the arm's frame: the rig has no calibration")
        return schema.CameraAnswer(width=view.width, height=view.height, projection=list(view.projection))

    @routes.get("/api/scene")
    def scene() -> schema.SceneAnswer:
        seen = panel.bridge.scene()
        if seen is None:
            raise CatalogError("nobody publishes the state of the scene: that is so on a real arm without markers")
        return schema.SceneAnswer(tip=list(seen.tip), object=list(seen.object), stamp_ns=seen.stamp_ns)

    @routes.post("/api/scene/reset")
    def reset(body: schema.TaskBody, request: Request) -> schema.MessageAnswer:
        lease = panel.desk.lease_to_move(person(request))
        return schema.MessageAnswer(message=panel.teaching.choose(body.split, body.task, lease))

    _add_plan(routes, panel)
    _add_recorder(routes, panel)
    return routes


def _lease(panel: Panel, body: schema.LeaseBody, who: Person) -> schema.LeaseAnswer:
    if body.action == "release":
        panel.desk.release(body.session, who)
        return schema.LeaseAnswer(session="", holder="", seconds=0.0, message="nobody holds the arm")
    if body.action == "take_over" and not who.may("admin"):
        raise SessionError(f"{who.name} is an {who.role}; taking the arm from somebody else needs the role admin")
    held = panel.desk.acquire(who, take_over=body.action == "take_over")
    return schema.LeaseAnswer(
        session=held.session, holder=who.name, seconds=LEASE_LIFE, message=f"{who.name} holds the arm"
    )


def _add_plan(routes: APIRouter, panel: Panel) -> None:
    @routes.get("/api/tasks")
    def tasks(split: Annotated[Split, Query()] = "train") -> schema.TasksAnswer:
        quota = panel.archive.quota(panel.teaching.family, split)
        rows = [
            schema.TaskRow(
                index=one.task.index, split=one.task.split, task_id=one.task.task_id, context=list(one.task.context),
                accepted=one.accepted, recorded=one.recorded, quota=one.wanted,
            )
            for one in quota.tasks
        ]
        return schema.TasksAnswer(
            family=quota.family, split=split, quota=quota.per_task, accepted=quota.accepted, wanted=quota.wanted,
            radius=families.family(quota.family).success_radius, tasks=rows,
            next=None if quota.next is None else quota.next.index,
        )

    @routes.post("/api/plan")
    def plan(body: schema.PlanBody, request: Request) -> schema.TasksAnswer:
        who = person(request).name
        panel.archive.catalog.plan(panel.teaching.family, body.split, body.tasks, body.per_task, body.seed, who)
        return tasks(body.split)


def _add_recorder(routes: APIRouter, panel: Panel) -> None:
    teaching = panel.teaching

    @routes.post("/api/recorder/start")
    def start(body: schema.RecordBody, request: Request) -> schema.RecordAnswer:
        return schema.RecordAnswer(episode=teaching.start(body.split, body.task, person(request).name))

    @routes.post("/api/recorder/save")
    def save(body: schema.SaveBody) -> schema.RecordAnswer:
        return schema.RecordAnswer(episode=body.episode, message=teaching.save(body.episode, body.accepted))

    @routes.post("/api/recorder/discard")
    def discard(body: schema.DiscardBody) -> schema.RecordAnswer:
        return schema.RecordAnswer(episode=body.episode, message=teaching.discard(body.episode, body.reason))

    @routes.post("/api/recorder/again")
    def again(body: schema.DiscardBody, request: Request) -> schema.RecordAnswer:
        who = person(request)
        lease = panel.desk.lease_to_move(who)  # asked before anything is put aside
        episode, message = teaching.again(body.episode, body.reason, who.name, lease)
        return schema.RecordAnswer(episode=episode, message=message)
