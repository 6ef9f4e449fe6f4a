# What Tocsin uses of matrix-nio 0.26, which carries no types that a checker may read.

import enum
from collections.abc import Awaitable, Callable, Iterable, Mapping
from io import BytesIO
from os import PathLike
from typing import Any

from aiohttp import ClientResponse
from nio.crypto import Olm, OlmDevice
from nio.store import MatrixStore

class EncryptionError(Exception): ...

class Response:
    transport_response: ClientResponse | None

class ErrorResponse(Response):
    message: str
    status_code: str | None
    retry_after_ms: int | None

class LoginResponse(Response):
    user_id: str
    device_id: str
    access_token: str

class Event:
    source: dict[str, Any]
    event_id: str
    sender: str
    server_timestamp: int
    decrypted: bool
    verified: bool
    sender_key: str | None
    session_id: str | None
    @classmethod
    def parse_event(cls, event_dict: Mapping[str, Any]) -> Event | BadEvent | UnknownBadEvent: ...
    @classmethod
    def parse_decrypted_event(cls, event_dict: Mapping[str, Any]) -> Event | BadEvent | UnknownBadEvent: ...

class BadEvent:
    source: dict[str, Any]
    decrypted: bool

class UnknownBadEvent:
    source: dict[str, Any]
    decrypted: bool

class RoomEncryptionEvent(Event):
    @classmethod
    def from_dict(cls, parsed_dict: Mapping[str, Any]) -> RoomEncryptionEvent | BadEvent: ...

class RoomMemberEvent(Event): ...

class EncryptedToDeviceEvent:
    source: dict[str, Any]

class RoomKeyEvent:
    sender: str
    sender_key: str
    room_id: str
    session_id: str

class UnknownToDeviceEvent:
    source: dict[str, Any]
    sender: str
    type: str
    @classmethod
    def from_dict(cls, event_dict: Mapping[str, Any]) -> UnknownToDeviceEvent: ...

class MegolmEvent(Event):
    device_id: str
    room_id: str
    @classmethod
    def from_dict(cls, event_dict: Mapping[str, Any]) -> MegolmEvent | BadEvent: ...

class RoomMessageText(Event):
    body: str
    @classmethod
    def from_dict(cls, parsed_dict: Mapping[str, Any]) -> RoomMessageText | BadEvent: ...

class RoomMessageMedia(Event): ...
class RoomEncryptedMedia(Event): ...

class RoomMessageNotice(Event):
    body: str
    @classmethod
    def from_dict(cls, parsed_dict: Mapping[str, Any]) -> RoomMessageNotice | BadEvent: ...

class InviteMemberEvent:
    sender: str
    state_key: str
    membership: str

class Timeline:
    events: list[Event | BadEvent | UnknownBadEvent]
    limited: bool
    prev_batch: str | None

class RoomInfo:
    state: list[object]
    timeline: Timeline

class InviteInfo:
    invite_state: list[object]

class Rooms:
    invite: dict[str, InviteInfo]
    join: dict[str, RoomInfo]
    leave: dict[str, RoomInfo]

class DeviceOneTimeKeyCount:
    signed_curve25519: int | None

class SyncResponse(Response):
    @classmethod
    def from_dict(cls, parsed_dict: dict[Any, Any]) -> Response: ...
    next_batch: str
    device_key_count: DeviceOneTimeKeyCount
    to_device_events: list[object]
    rooms: Rooms
    device_list: DeviceList

class DeviceList:
    changed: list[str]

class RoomMessagesResponse(Response):
    chunk: list[Event | BadEvent | UnknownBadEvent]
    end: str | None

class RoomSendResponse(Response):
    event_id: str

class RoomCreateResponse(Response):
    room_id: str

class KeysUploadResponse(Response):
    def __init__(self, curve25519_count: int, signed_curve25519_count: int) -> None: ...

class KeysQueryResponse(Response):
    def __init__(self, device_keys: Mapping[str, Mapping[str, Any]], failures: Mapping[str, Any]) -> None: ...

class KeysClaimResponse(Response):
    one_time_keys: dict[str, dict[str, Any]]
    def __init__(self, one_time_keys: dict[str, dict[str, Any]], failures: Mapping[str, Any]) -> None: ...

class MatrixUser:
    user_id: str
    display_name: str | None
    invited: bool

class MatrixRoom:
    room_id: str
    encrypted: bool
    users: dict[str, MatrixUser]
    members_synced: bool
    name: str | None

    def __init__(self, room_id: str, own_user_id: str, encrypted: bool = ...) -> None: ...
    def add_member(
        self, user_id: str, display_name: str | None, avatar_url: str | None, invited: bool = ...
    ) -> bool: ...

class AsyncClientConfig:
    def __init__(
        self,
        *,
        store: type[MatrixStore] | None = ...,
        store_name: str = ...,
        encryption_enabled: bool = ...,
        pickle_key: str = ...,
        store_sync_tokens: bool = ...,
        max_limit_exceeded: int | None = ...,
        max_timeouts: int | None = ...,
        request_timeout: float = ...,
    ) -> None: ...

class MessageDirection(enum.Enum):
    back = "b"
    front = "f"

class AsyncClient:
    homeserver: str
    user_id: str
    device_id: str
    access_token: str
    next_batch: str
    olm: Olm | None
    store: MatrixStore | None
    rooms: dict[str, MatrixRoom]
    sharing_session: dict[str, Any]

    def __init__(
        self,
        homeserver: str,
        user: str = ...,
        device_id: str | None = ...,
        store_path: str | None = ...,
        config: AsyncClientConfig | None = ...,
    ) -> None: ...
    @property
    def should_claim_keys(self) -> bool: ...
    def restore_login(self, user_id: str, device_id: str, access_token: str) -> None: ...
    def get_users_for_key_claiming(self) -> dict[str, list[str]]: ...
    def invalidate_outbound_session(self, room_id: str) -> None: ...
    def verify_device(self, device: OlmDevice) -> bool: ...
    def blacklist_device(self, device: OlmDevice) -> bool: ...
    async def create_matrix_response(
        self,
        response_class: type[Response],
        transport_response: ClientResponse,
        data: tuple[Any, ...] | None = ...,
        save_to: PathLike[str] | None = ...,
    ) -> Response: ...
    async def parse_body(self, transport_response: ClientResponse) -> dict[Any, Any]: ...
    async def receive_response(self, response: Response) -> None: ...
    async def send(
        self,
        method: str,
        path: str,
        data: str | bytes | BytesIO | None = ...,
        headers: dict[str, str] | None = ...,
        *,
        timeout: float | None = ...,  # noqa: ASYNC109 - it is called so
    ) -> ClientResponse: ...
    async def sync(
        self,
        timeout: int | None = ...,  # noqa: ASYNC109 - the library takes milliseconds
        sync_filter: dict[str, Any] | None = ...,
        since: str | None = ...,
        full_state: bool | None = ...,
    ) -> SyncResponse | ErrorResponse: ...
    async def keys_claim(self, user_set: Mapping[str, Iterable[str]]) -> Response: ...
    async def sync_forever(self, timeout: int | None = ..., *, full_state: bool | None = ...) -> None: ...  # noqa: ASYNC109 - see sync
    def add_event_callback(self, callback: Callable[..., Awaitable[None]], filter: type) -> None: ...  # noqa: A002 - it is called so
    async def send_to_device_messages(self) -> list[Response]: ...
    async def joined_members(self, room_id: str) -> Response: ...
    async def join(self, room_id: str) -> Response: ...
    async def room_messages(
        self,
        room_id: str,
        start: str | None = ...,
        end: str | None = ...,
        direction: MessageDirection = ...,
        limit: int = ...,
    ) -> RoomMessagesResponse | ErrorResponse: ...
    async def share_group_session(self, room_id: str) -> Response: ...
    async def room_send(
        self,
        room_id: str,
        message_type: str,
        content: dict[str, Any],
        tx_id: str | None = ...,
        ignore_unverified_devices: bool = ...,
    ) -> RoomSendResponse | ErrorResponse: ...
    def encrypt(self, room_id: str, message_type: str, content: dict[str, Any]) -> tuple[str, dict[str, Any]]: ...
    async def close(self) -> None: ...
