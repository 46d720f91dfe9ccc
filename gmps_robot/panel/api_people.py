"""REST routes of people: login, logout, invitations, the audit log."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from gmps_robot.panel import schema
from gmps_robot.panel.auth import COOKIE_LIFE, LIVES, Person
from gmps_robot.panel.context import Panel, person
from gmps_robot.panel.gate import address_of, cookie_name


def router(panel: Panel) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["people"])

    @routes.post("/api/login")
    def login(body: schema.LoginBody, request: Request, response: Response) -> schema.MeAnswer:
        cookie, who = panel.door.login(body.token, body.name or "", address_of(request.scope))
        request.state.person = who  # for the audit log
        response.set_cookie(
            cookie_name(request.headers), cookie, max_age=round(COOKIE_LIFE), httponly=True, samesite="strict",
            secure=panel.settings.tls, path="/",
        )
        return schema.MeAnswer(name=who.name, role=who.role, seconds=COOKIE_LIFE, mode=panel.bridge.state().mode)

    @routes.post("/api/logout")
    def logout(request: Request, response: Response) -> schema.MessageAnswer:
        name = cookie_name(request.headers)
        panel.door.logout(request.cookies.get(name, ""))
        response.delete_cookie(name, path="/", httponly=True, samesite="strict", secure=panel.settings.tls)
        return schema.MessageAnswer(message=f"{person(request).name} is logged out")

    @routes.get("/api/me")
    def me(request: Request) -> schema.MeAnswer:
        who = person(request)
        left = min(request.state.seconds, 1e9)  # the token of the settings never expires
        return schema.MeAnswer(name=who.name, role=who.role, seconds=left, mode=panel.bridge.state().mode)

    @routes.post("/api/invite")
    def invite(body: schema.InviteBody) -> schema.InviteAnswer:
        secret = panel.door.issue(body.kind, Person(body.name, body.role))
        link = f"/login#{secret}" if body.kind == "link" else None
        return schema.InviteAnswer(token=secret, link=link, seconds=LIVES[body.kind])

    @routes.get("/api/audit")
    def audit(limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> schema.AuditAnswer:
        return panel.archive.events(limit)

    return routes
