"""A test's hand in the stand-in, under `/stand-in/`. Each is a POST of a JSON object; none counts as a request.

- `state` (GET): the people with their keys, and the channels.
- `act`: `{"as": "bob", "method": "POST", "path": "/messages", "form": {…}}`, somebody's request outside all limits.
- `person`, `channel`: makes one. `clock`: `{"ahead_s": 60}` goes on by so much. `limits`: `{"requests": 200}` a minute.
- `age`: `{"message_id": 1, "seconds": 700}` makes a message older. `settings`: the realm's.
- `events`: `{"do": "kill" | "stop" | "start" | "beat"}`. A killed event server loses its queues; one that was stopped
  keeps them. `web`: `{"down": true}`.
- `fault`: `{"kind": …, "method": "POST", "path": ".*/messages", "times": 1}`. The kinds are
  `drop`, `502`, `401` and `hang`, with `_before` or `_after`: before the request is taken, or after.
  One that is `late_before` is taken when `late` is asked for, though nobody waits for it any more.
- `listening`: `{"as": "tocsin"}` answers when a poll of this person waits.
- `requests` (GET): all that came in, the oldest first.
- `disorder`: `{"on": true}` tells of each second message before the one before it.
"""

import dataclasses
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from tests.zulip.call import Call
from tests.zulip.lab import key_of
from tests.zulip.refusal import Refusal
from tests.zulip.routes import API, find
from tests.zulip.things import Channel, Json, User
from tests.zulip.world import Fault, World

Hand = Callable[[Json], Json | Awaitable[Json]]


class Control:
    def __init__(self, world: World) -> None:
        self._world = world
        self._hands: dict[str, Hand] = {
            "state": self._state,
            "act": self._act,
            "person": self._person,
            "channel": self._channel,
            "clock": self._clock,
            "limits": self._limits,
            "age": self._age,
            "settings": self._settings,
            "events": self._events,
            "web": self._web,
            "fault": self._fault,
            "disorder": self._disorder,
            "listening": self._listening,
            "requests": self._requests,
            "late": self._late,
        }

    async def answer(self, request: web.Request) -> web.StreamResponse:
        hand = self._hands[request.match_info["hand"]]
        asked: Json = await request.json() if request.can_read_body else {}
        try:
            answer = hand(asked)
            return web.json_response(await answer if inspect.isawaitable(answer) else answer)
        except Refusal as refusal:
            return web.json_response(refusal.body, status=refusal.status)

    def _state(self, _: Json) -> Json:
        return {
            "people": {
                user.full_name: {"id": user.id, "email": user.email, "key": user.key}
                for user in self._world.realm.users.values()
            },
            "channels": {channel.name: channel.id for channel in self._world.realm.channels.values()},
        }

    def _named(self, name: str) -> User:
        return next(each for each in self._world.realm.users.values() if each.full_name == name)

    async def _listening(self, asked: Json) -> Json:
        await self._world.queues.until_heard_by(self._named(asked["as"]).id)
        return {}

    def _requests(self, _: Json) -> Json:
        return {"requests": [dataclasses.asdict(each) for each in self._world.requests]}

    async def _late(self, _: Json) -> Json:
        late = self._world.broken.late
        while late:
            await late.pop(0)()
        return {}

    async def _act(self, asked: Json) -> Json:
        user = self._named(asked["as"])
        params = {name: str(value) for name, value in asked.get("form", {}).items()}
        path = API + asked["path"]
        call = Call(self._world, asked["method"], path, params, [], {"User-Agent": "stand-in"}, user)
        route, match = next(each for each in find(path) if each[0].method == call.method)
        answer = route.answer(call, match)
        return await answer if inspect.isawaitable(answer) else answer

    def _person(self, asked: Json) -> Json:
        known: dict[str, Any] = {"email": f"{asked['full_name']}@lab.test", "key": key_of(asked["full_name"]), **asked}
        user = User(id=self._world.realm.next_id(User), joined=self._world.clock.now(), **known)
        self._world.realm.keep(user)
        return {"id": user.id, "email": user.email, "key": user.key}

    def _channel(self, asked: Json) -> Json:
        channel = Channel(id=self._world.realm.next_id(Channel), created=self._world.clock.now(), **asked)
        self._world.realm.keep(channel)
        return {"id": channel.id}

    def _clock(self, asked: Json) -> Json:
        self._world.clock.ahead += asked["ahead_s"]
        return {"now": self._world.clock.now()}

    def _limits(self, asked: Json) -> Json:
        self._world.limits.requests = asked["requests"]
        return {}

    def _age(self, asked: Json) -> Json:
        message = self._world.realm.messages[asked["message_id"]]
        message.sent -= asked["seconds"]
        self._world.realm.keep(message)
        return {"sent": message.sent}

    def _settings(self, asked: Json) -> Json:
        self._world.change_settings(asked)
        return self._world.realm.settings.model_dump()

    def _events(self, asked: Json) -> Json:
        world, do = self._world, asked["do"]
        if do == "beat":
            world.queues.beat()
            return {}
        world.broken.events_are_down = do != "start"
        if do == "kill":
            world.queues.forget_all()
        if do == "stop":
            world.queues.sleep()
        if do == "start":
            world.start_again()
        return {}

    def _web(self, asked: Json) -> Json:
        self._world.broken.web_is_down = asked["down"]
        return {}

    def _fault(self, asked: Json) -> Json:
        self._world.broken.faults.append(Fault(**asked))
        return {}

    def _disorder(self, asked: Json) -> Json:
        self._world.teller.disorder = asked["on"]
        if not asked["on"]:
            self._world.teller.let_go()
        return {}
