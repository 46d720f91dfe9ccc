"""Who is asking: one-time login links, cookies, bearer tokens, and the pause after wrong ones.

A secret has at least 128 random bits and is kept as its SHA-256 alone. One that is right always passes: the pause holds
up guesses, never a person who is logged in. Everything is in memory: a restart of the panel ends every login.
"""

from __future__ import annotations

import getpass
import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from gmps_robot.errors import GmpsError

Role = Literal["viewer", "operator", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
LINK_LIFE, COOKIE_LIFE, BEARER_LIFE = 15 * 60.0, 12 * 3600.0, 30 * 86400.0  # [s]
FREE_FAILURES, FAILURE_WINDOW, LONGEST_PAUSE = 5, 60.0, 60.0  # per address; [s]
MAX_ADDRESSES = 1024
LOGIN_ENDED = "your login has ended: log in again"
MAX_PASSES = 512  # open links, logins and bearer tokens together

Kind = Literal["link", "cookie", "bearer"]
LIVES: dict[Kind, float] = {"link": LINK_LIFE, "cookie": COOKIE_LIFE, "bearer": BEARER_LIFE}


class LoginError(GmpsError):
    """The token is not valid, or no more."""


class PauseError(GmpsError):
    """Too many wrong tokens came from this address; `seconds` says when the next one is looked at."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"too many wrong tokens came from this address; try again in {seconds:.0f} s")
        self.seconds = seconds


@dataclass(frozen=True)
class Person:
    """Somebody who has shown a secret."""

    name: str
    role: Role
    login: str = field(default="", compare=False)  # tells two people of one name apart

    def may(self, role: Role) -> bool:
        """Whether this person has the rights of `role`: each includes those before it."""
        return ROLES.index(self.role) >= ROLES.index(role)


@dataclass(frozen=True)
class Pass:
    """What one secret is good for."""

    digest: bytes
    kind: Kind
    person: Person
    expires: float  # [s]


@dataclass
class _Failures:
    times: list[float]
    pause_until: float = 0.0  # [s]


class Door:
    """Gives out secrets and knows who holds them. Callable from several threads."""

    def __init__(
        self, clock: Callable[[], float], *, token: str = "",
        make: Callable[[], str] = lambda: secrets.token_urlsafe(24),
    ) -> None:
        """Open.

        Args:
            clock: monotonic [s].
            token: a bearer token of the administrator that never expires; empty: none.
            make: source of fresh secrets.
        """
        self._clock, self._make = clock, make
        self._lock = threading.Lock()
        self._passes: list[Pass] = []
        self._failures: dict[str, _Failures] = {}
        self._own = b""  # digest of the link of whoever started the panel
        self._tell: Callable[[], None] = lambda: None
        if token:
            self._passes.append(Pass(_digest(token), "bearer", Person("token", "admin", "token"), float("inf")))

    def tell_links(self, name: str, say: Callable[[str], None]) -> None:
        """Tell whoever started the panel, `name`, the secret of a login link, and a fresh one whenever it was used."""

        def tell() -> None:
            secret = self.issue("link", Person(name, "admin"), life=float("inf"))
            self._own = _digest(secret)
            say(secret)

        self._tell = tell
        tell()

    def issue(self, kind: Kind, person: Person, life: float | None = None) -> str:
        """Return a fresh secret of `kind` for `person`.

        Raises:
            GmpsError: too many are open.
        """
        now = self._clock()
        with self._lock:
            self._passes = [one for one in self._passes if one.expires > now]
            if len(self._passes) >= MAX_PASSES:
                raise GmpsError(f"{MAX_PASSES} logins, links and tokens are open; restart the panel to end them all")
            secret = self._make()
            digest = _digest(secret)
            person = replace(person, login=digest.hex()[:16])
            self._passes.append(Pass(digest, kind, person, now + (LIVES[kind] if life is None else life)))
        return secret

    def login(self, token: str, name: str, address: str) -> tuple[str, Person]:
        """Take a link's secret, or a bearer token, and return the secret of a cookie.

        Args:
            token: what the person shows. A link's is spent by this.
            name: what to call the person; empty: as the link says.
            address: whence the request comes.

        Raises:
            PauseError: too many wrong ones came from `address`.
            LoginError: it is not valid, or no more.
        """
        self._check_pause(address)
        found = self._find(token, ("link", "bearer"))
        if found is None:
            self._note_failure(address)
            raise LoginError("this login link is not valid: it was used, it has expired, or the panel has restarted. "
                             "The terminal of the panel shows a fresh one; an administrator can invite you")
        if found.kind == "link":
            with self._lock:
                self._passes = [one for one in self._passes if one is not found]
        person = Person(name or found.person.name, found.person.role)
        cookie = self.issue("cookie", person)
        if found.digest == self._own:
            self._tell()
        return cookie, person

    def who(self, secret: str, kind: Kind, address: str) -> tuple[Person, float] | None:
        """Return whose `secret` of `kind` this is, and the seconds it is still good for; None: not valid.

        Raises:
            PauseError: it is not valid, and too many wrong ones came from `address`.
        """
        found = self._find(secret, (kind,))
        if found is not None:
            return found.person, found.expires - self._clock()
        if kind == "bearer":  # an old cookie is no guess: browsers send it by themselves
            self._check_pause(address)
            self._note_failure(address)
        return None

    def admits(self, person: Person) -> bool:
        """Whether the login by which `person` came in is still valid: neither ended nor expired."""
        now = self._clock()
        with self._lock:
            return any(one.person.login == person.login and one.expires > now for one in self._passes)

    def logout(self, cookie: str) -> None:
        """End the login of `cookie`."""
        digest = _digest(cookie)
        with self._lock:
            self._passes = [one for one in self._passes if one.digest != digest]

    def _find(self, secret: str, kinds: tuple[Kind, ...]) -> Pass | None:
        digest, now = _digest(secret), self._clock()
        with self._lock:
            right = [
                one for one in self._passes if hmac.compare_digest(one.digest, digest) and one.kind in kinds
            ]
        return next((one for one in right if one.expires > now), None)

    def _check_pause(self, address: str) -> None:
        now = self._clock()
        with self._lock:
            failures = self._failures.get(address)
            left = 0.0 if failures is None else failures.pause_until - now
        if left > 0.0:
            raise PauseError(left)

    def _note_failure(self, address: str) -> None:
        now = self._clock()
        with self._lock:
            if address not in self._failures and len(self._failures) >= MAX_ADDRESSES:
                oldest = min(self._failures, key=lambda known: self._failures[known].times[-1])
                del self._failures[oldest]
            failures = self._failures.setdefault(address, _Failures([]))
            failures.times = [*(t for t in failures.times if now - t < FAILURE_WINDOW + LONGEST_PAUSE), now][-16:]
            excess = len(failures.times) - FREE_FAILURES
            if excess >= 0:
                failures.pause_until = now + min(LONGEST_PAUSE, 2.0**excess)


def starter() -> str:
    """Return the name of whoever runs this process; in a container nobody may have one."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "administrator"


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
