"""Logging in, staying logged in, and what happens to whoever guesses."""

from __future__ import annotations

import time

import pytest
from fastapi.testclient import TestClient

from gmps_robot.panel.app import create_api
from gmps_robot.panel.auth import BEARER_LIFE, COOKIE_LIFE, LINK_LIFE, Door, LoginError, PauseError, Person
from gmps_robot.panel.context import Panel
from tests.panel.conftest import Clock

HERE = "127.0.0.1"
ADA = Person("Ada", "operator")


@pytest.fixture
def browser_client(panel: Panel) -> TestClient:
    """A browser that is not logged in."""
    return TestClient(create_api(panel), base_url="http://127.0.0.1:8080", headers={"x-gmps": "1"})


def test_a_link_logs_in_once(door: Door) -> None:
    link = door.issue("link", ADA)
    cookie, person = door.login(link, "", HERE)
    assert person == ADA
    assert door.who(cookie, "cookie", HERE) == (ADA, COOKIE_LIFE)
    with pytest.raises(LoginError, match="it was used"):
        door.login(link, "", HERE)


def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(door: Door, browser_client: TestClient) -> None:
    answer = browser_client.post("/api/login", json={"token": door.issue("link", ADA), "name": "Grace Hopper"})
    assert (answer.json()["name"], answer.json()["role"]) == ("Grace Hopper", "operator")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("gmps_panel_8080=")
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Max-Age=43200" in cookie
    assert "Secure" not in cookie  # plain HTTP on loopback
    me = browser_client.get("/api/me").json()
    assert (me["name"], me["role"], me["mode"]) == ("Grace Hopper", "operator", "twin")
    assert browser_client.post("/api/logout").status_code == 200
    assert browser_client.get("/api/me").status_code == 401


def test_without_a_cookie_the_page_leads_to_the_login(browser_client: TestClient) -> None:
    answer = browser_client.get("/", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    refused = browser_client.get("/api/status")
    assert refused.status_code == 401
    assert "login link" in refused.json()["message"]


@pytest.mark.parametrize(("kind", "life"), [("link", LINK_LIFE), ("cookie", COOKIE_LIFE), ("bearer", BEARER_LIFE)])
def test_everything_expires(door: Door, clock: Clock, kind: str, life: float) -> None:
    secret = door.issue(kind, ADA)
    clock.now += life - 1.0
    assert kind == "link" or door.who(secret, kind, HERE)
    clock.now += 1.0
    if kind == "link":
        with pytest.raises(LoginError, match="expired"):
            door.login(secret, "", HERE)
    else:
        assert door.who(secret, kind, HERE) is None


def test_a_login_that_has_expired_says_so_in_the_api(browser_client: TestClient, door: Door, clock: Clock) -> None:
    browser_client.post("/api/login", json={"token": door.issue("link", ADA)})
    clock.now += COOKIE_LIFE
    answer = browser_client.post("/api/start", json={})
    assert answer.status_code == 401
    assert "has expired" in answer.json()["message"]


def test_one_kind_of_secret_is_no_other(door: Door) -> None:
    cookie, bearer = door.issue("cookie", ADA), door.issue("bearer", ADA)
    with pytest.raises(LoginError):
        door.login(cookie, "", HERE)
    assert door.who(bearer, "cookie", HERE) is None
    assert door.who(cookie, "bearer", HERE) is None


def test_whoever_started_the_panel_always_has_a_fresh_link(door: Door) -> None:
    links: list[str] = []
    door.tell_links("ada", links.append)
    door.login(links[0], "", HERE)
    door.login(links[1], "", HERE)
    assert len(set(links)) == 3
    assert min(map(len, links)) >= 22  # 128 bits


def test_guesses_are_held_up_longer_and_longer_but_never_for_good(door: Door, clock: Clock) -> None:
    waits = []
    for _ in range(14):
        try:
            door.login("guess", "", HERE)
        except PauseError as pause:
            waits.append(pause.seconds)
            clock.now += pause.seconds
        except LoginError:
            pass
    assert waits == sorted(waits)
    assert waits[0] == 1.0
    for _ in range(20):
        with pytest.raises((LoginError, PauseError)) as refused:
            door.login("guess", "", HERE)
        if isinstance(refused.value, PauseError):
            assert refused.value.seconds <= 60.0
            clock.now += refused.value.seconds
    clock.now += 60.0
    assert door.login(door.issue("link", ADA), "", HERE)[1] == ADA


def test_guesses_from_elsewhere_hold_nobody_up_who_is_logged_in(door: Door) -> None:
    cookie = door.issue("cookie", ADA)
    for _ in range(6):
        with pytest.raises((LoginError, PauseError)):
            door.login("guess", "", "203.0.113.9")
    with pytest.raises(PauseError):
        door.login(door.issue("link", ADA), "", "203.0.113.9")
    assert door.login(door.issue("link", ADA), "", HERE)
    assert door.who(cookie, "cookie", "203.0.113.9")


def test_a_wrong_login_says_when_to_try_again(browser_client: TestClient) -> None:
    statuses = [browser_client.post("/api/login", json={"token": "guess"}).status_code for _ in range(6)]
    assert statuses == [401] * 5 + [429]
    answer = browser_client.post("/api/login", json={"token": "guess"})
    assert int(answer.headers["retry-after"]) >= 1
    assert "try again in" in answer.json()["message"]


def test_an_old_cookie_is_no_guess(browser_client: TestClient) -> None:
    browser_client.cookies.set("gmps_panel_8080", "of-yesterday")
    assert {browser_client.get("/api/status").status_code for _ in range(20)} == {401}


def test_a_form_of_another_site_cannot_act_even_with_the_cookie(browser_client: TestClient, door: Door, bridge) -> None:
    browser_client.post("/api/login", json={"token": door.issue("link", ADA)})
    del browser_client.headers["x-gmps"]
    assert browser_client.post("/api/arm/kill", json={}).status_code == 403
    browser_client.headers["x-gmps"] = "1"
    form = browser_client.post("/api/arm/kill", data={"reason": "x"})
    assert form.status_code == 415
    assert bridge.calls == []


def test_an_invitation_gives_its_role_and_no_more(client: TestClient, browser_client: TestClient) -> None:
    told = client.post("/api/invite", json={"name": "Eve", "role": "viewer"}).json()
    assert told["link"] == f"/login#{told['token']}"
    browser_client.post("/api/login", json={"token": told["token"], "name": "Eve"})
    assert browser_client.get("/api/me").json()["role"] == "viewer"
    assert browser_client.post("/api/invite", json={"name": "Eve", "role": "admin"}).status_code == 403
    script = client.post("/api/invite", json={"name": "script", "role": "operator", "kind": "bearer"}).json()
    headers = {"authorization": f"Bearer {script['token']}"}
    assert client.get("/api/me", headers=headers).json()["role"] == "operator"


def test_every_act_is_written_down_without_its_secrets(
    panel: Panel, client: TestClient, browser_client: TestClient
) -> None:
    token = panel.door.issue("link", ADA)
    browser_client.post("/api/login", json={"token": token, "name": "Ada"})
    browser_client.post("/api/arm/stop", json={"reason": "smoke"})
    browser_client.post("/api/arm/kill", json={"reason": 7})
    browser_client.post("/api/invite", json={"name": "Eve", "role": "admin"})  # not hers to do
    time.sleep(0.3)
    events = client.get("/api/audit").json()["events"]
    acts = [(e["who"], e["role"], e["what"], e["outcome"]) for e in events[:3]]
    assert acts == [
        ("Ada", "operator", "POST /api/arm/kill", "422"),
        ("Ada", "operator", "POST /api/arm/stop", "200"),
        ("Ada", "operator", "POST /api/login", "200"),
    ]
    assert "smoke" in events[1]["detail"]
    assert token not in str(events)
    assert events[0]["at"].endswith("+00:00")
