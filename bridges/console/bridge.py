"""The console as a bridge. A line is taken once it is in the inbox; a post is sent once a client has shown it."""

import asyncio
import collections
import contextlib
import dataclasses
import socket
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor

import structlog

from bot import __version__
from bot.bridge import Health, Office
from bot.desk.limits import Limit
from bot.words.errors import AnsweredApart, NetworkError, StoreError, Unreachable
from bot.words.message import Message, Place, Post, Standing
from bot.words.people import Account, Person
from bridges.console.connection import Connection
from bridges.console.door import listening
from bridges.console.lines import (
    MOST_FROM_BOT,
    BadLine,
    Closed,
    Heard,
    Hello,
    NotTaken,
    Posted,
    Say,
    Taken,
    event_of,
    to_line,
)
from bridges.console.peer import Peer, peer_of, user_name, why_nobody
from bridges.console.settings import ConsoleSettings

NETWORK = "console"
MOST_CONNECTIONS = 32
MOST_OF_ONE_USER = 8
ANSWER_WITHIN_S = 10.0
NAME_WITHIN_S = 5.0
MOST_NAMES_AT_ONCE = 4
NO_FILE_LEFT_S = 1.0
NOT_LISTED = "This user may not talk here."
COUNTED: Mapping[str, int] = dict.fromkeys(
    ("connections", "refused_connections", "cut_connections", "bad_lines", "lines_not_taken"), 0
)
NO_CURSOR = "none"
"""A socket has no place to go on from: a client says again what it heard nothing of."""

log = structlog.get_logger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class _Waiting:
    """A post that no client has shown yet."""

    user: str
    line: bytes
    heard: "asyncio.Future[None]"


class ConsoleBridge:
    """The bot's end of its socket on this machine."""

    def __init__(self, settings: ConsoleSettings, office: Office) -> None:
        self._path = settings.socket
        self._people = office.people
        self._inlet = office.inlet
        self._back = office.back
        self._open = asyncio.Event()
        self._peers: list[Peer] = []
        self._connections: list[Connection] = []
        self._waiting: dict[str, _Waiting] = {}
        self._counts = collections.Counter(COUNTED)
        self._told = Limit(5, 0.1)
        self._people.watch(self._dismiss)

    def health(self) -> Health:
        """Whether it listens."""
        ready = self._open.is_set()
        return Health(ready, "" if ready else f"nobody listens at {self._path}", dict(self._counts))

    async def run(self) -> None:
        """Listen until cancelled."""
        names = ThreadPoolExecutor(MOST_NAMES_AT_ONCE, thread_name_prefix="console names")
        try:
            with listening(self._path) as listener:
                self._open.set()
                log.info("listening", socket=str(self._path))
                async with asyncio.TaskGroup() as guests:
                    await self._admit(listener, guests, names)
        finally:
            self._open.clear()
            names.shutdown(wait=False, cancel_futures=True)  # a directory that hangs must not hold the bot

    async def send(self, post: Post, *, key: str) -> str:
        """Say something to every client of a user. It is sent once one of them has shown it; its key is its id.

        An edit goes by the key of what it edits.
        """
        user = post.place.id
        self._check_listed(user)
        line = to_line(Posted(key, post.document, post.lane, post.reply_to, post.edits))
        if len(line) > MOST_FROM_BOT:
            raise NetworkError(f"This is {len(line)} bytes long, and the console takes {MOST_FROM_BOT}.")
        await self._open.wait()
        if not any(self._of(user)):
            raise Unreachable(f"{user} has no chat open.")
        waiting = self._waiting[key] = _Waiting(user, line, asyncio.get_running_loop().create_future())
        try:
            for connection in self._of(user):
                connection.tell_line(line)
            async with asyncio.timeout(ANSWER_WITHIN_S):
                await waiting.heard
        except TimeoutError as error:
            raise Unreachable(f"No chat of {user} has shown this.") from error
        finally:
            if self._waiting.get(key) is waiting:
                del self._waiting[key]
        return post.edits or key

    def _check_listed(self, user: str) -> None:
        account = Account(NETWORK, user)
        if self._people.holder_of(account) is None:
            if any(account in person.accounts for person in self._people.listed):
                raise Unreachable(f"{user} is suspended.")
            raise NetworkError(f"{user} is not listed.")

    def _of(self, user: str) -> Iterator[Connection]:
        return (connection for connection in tuple(self._connections) if connection.account.id == user)

    async def _admit(self, listener: socket.socket, guests: asyncio.TaskGroup, names: Executor) -> None:
        while True:
            try:
                sock, _ = await asyncio.get_running_loop().sock_accept(listener)
            except OSError as error:  # no file is left to this process, or to this machine
                log.error("nobody can be let in", error=str(error))
                await asyncio.sleep(NO_FILE_LEFT_S)
            else:
                guests.create_task(self._receive(sock, names))
                await asyncio.sleep(0)  # where many wait, accepting gives the loop back to nobody

    async def _receive(self, sock: socket.socket, names: Executor) -> None:
        """See to one guest from the knock to the end. Nothing that a guest does is an error of the bridge's."""
        self._counts["connections"] += 1
        with sock:
            try:
                peer = peer_of(sock)
                why = why_nobody(peer.uid) or self._why_full(peer)
                if why is not None:
                    self._refuse(sock, peer, why)
                    return
                self._peers.append(peer)
                try:
                    await self._look_at(sock, peer, names)
                finally:
                    self._peers.remove(peer)
            except OSError as error:
                log.warning("a guest was lost", error=str(error))
            except Exception:
                log.exception("a guest broke the console")

    def _why_full(self, peer: Peer) -> str | None:
        if sum(each.uid == peer.uid for each in self._peers) >= MOST_OF_ONE_USER:
            return f"You have {MOST_OF_ONE_USER} chats open already. Close one first."
        if len(self._peers) >= MOST_CONNECTIONS:
            return "Too many chats are open. Try again in a moment."
        return None

    def _refuse(self, sock: socket.socket, peer: Peer, why: str) -> None:
        self._counts["refused_connections"] += 1
        if self._told.take(peer.uid):  # what else they try is counted only: they must not fill the disk
            log.warning("refused at the console", uid=peer.uid, pid=peer.pid, why=why)
        with contextlib.suppress(OSError):
            sock.send(to_line(Closed(why)))  # the first bytes of a connection always fit

    async def _look_at(self, sock: socket.socket, peer: Peer, names: Executor) -> None:
        try:
            async with asyncio.timeout(NAME_WITHIN_S):
                user = await asyncio.get_running_loop().run_in_executor(names, user_name, peer.uid)
        except TimeoutError:
            self._refuse(
                sock, peer, "The machine does not say in time what your user is called. Try again in a moment."
            )
            return
        account = Account(NETWORK, user)
        person = self._people.holder_of(account)
        if person is None:
            self._refuse(sock, peer, NOT_LISTED)
            return
        async with Connection.opened(sock, peer, account) as connection:
            self._greet(connection, person)
            try:
                async with (
                    asyncio.TaskGroup() as taking
                ):  # when the client has left, the disk may still be at its lines
                    try:
                        await self._listen(connection, taking)
                    finally:
                        self._connections.remove(connection)
            finally:
                self._counts["cut_connections"] += connection.was_cut

    def _greet(self, connection: Connection, person: Person) -> None:
        log.info("a chat begins", account=str(connection.account), person=person.name, pid=connection.peer.pid)
        connection.tell(Hello(connection.account.id, person.name, str(person.role), __version__))
        self._connections.append(connection)
        for waiting in tuple(self._waiting.values()):
            if waiting.user == connection.account.id:
                connection.tell_line(waiting.line)
        self._back(Place(NETWORK, connection.account.id))

    async def _listen(self, connection: Connection, taking: asyncio.TaskGroup) -> None:
        """Take a client's lines until it ends, or says what it may not."""
        while True:
            try:
                line = await connection.read()
            except BadLine as error:
                self._counts["bad_lines"] += 1
                log.warning("a bad line at the console", account=str(connection.account), error=str(error))
                connection.tell(Closed(str(error)))
                return
            if line is None:
                return
            if isinstance(line, Heard):
                self._heard(connection.account.id, line.key)
                continue
            if self._people.holder_of(connection.account) is None:
                connection.tell(Closed(NOT_LISTED))
                return
            await connection.slots.acquire()
            taking.create_task(self._take(connection, line))

    def _heard(self, user: str, key: str) -> None:
        waiting = self._waiting.get(key)
        if waiting is not None and waiting.user == user and not waiting.heard.done():
            waiting.heard.set_result(None)

    async def _take(self, connection: Connection, say: Say) -> None:
        """Bring a line to the inbox and tell its client what became of it."""
        try:
            await self._inlet.accept([_message(connection, say)], cursor=NO_CURSOR)
        except AnsweredApart:
            connection.tell(Taken(say.id))
        except StoreError as error:  # the inlet has seen to a stop
            self._counts["lines_not_taken"] += 1
            connection.tell(NotTaken(say.id, f"{error} If this was a stop, it goes out all the same."))
        except Exception:
            self._counts["lines_not_taken"] += 1
            log.exception("a line broke the inlet", account=str(connection.account))
            connection.tell(NotTaken(say.id, "Something broke inside. The bot's log has the details."))
        else:
            connection.tell(Taken(say.id))
        finally:
            connection.slots.release()

    def _dismiss(self) -> None:
        """End the chats of those who are not listed any more."""
        for connection in self._connections:
            if self._people.holder_of(connection.account) is None:
                connection.tell(Closed(NOT_LISTED))
                connection.close()


def _message(connection: Connection, say: Say) -> Message:
    account = connection.account
    return Message(
        place=Place(NETWORK, account.id),
        account=account,
        event=event_of(account.id, say.id),
        text=say.text,
        standing=Standing.LOCAL,
        device=f"pid {connection.peer.pid}",
        sent_ms=int((time.time() - say.age_s) * 1000),
        age_s=say.age_s,
        addressed=True,
    )
