# What Tocsin uses of nio.crypto.

from collections.abc import Callable, Iterator, KeysView, Mapping
from typing import Any, Protocol

from nio import BadEvent, Event, KeysClaimResponse

ENCRYPTION_ENABLED: bool

class OlmDevice:
    user_id: str
    device_id: str
    deleted: bool
    @property
    def ed25519(self) -> str: ...
    @property
    def curve25519(self) -> str: ...

class DeviceStore:
    def __iter__(self) -> Iterator[OlmDevice]: ...
    def active_user_devices(self, user_id: str) -> Iterator[OlmDevice]: ...
    @property
    def users(self) -> KeysView[str]: ...

class InboundGroupSession:
    ed25519: str
    forwarding_chain: list[str]

class GroupSessionStore:
    def get(self, room_id: str, sender_key: str, session_id: str) -> InboundGroupSession | None: ...

class OutboundGroupSession:
    shared: bool
    @property
    def id(self) -> str: ...
    @property
    def expired(self) -> bool: ...
    users_shared_with: set[tuple[str, str]]

class SessionStore:
    def get(self, sender_key: str) -> object | None: ...

class OlmAccount:
    @property
    def identity_keys(self) -> dict[str, str]: ...

class MessageIndex(Protocol):
    def __getitem__(self, key: tuple[str, str, int]) -> tuple[str, int]: ...
    def __setitem__(self, key: tuple[str, str, int], value: tuple[str, int]) -> None: ...

class Olm:
    account: OlmAccount
    device_store: DeviceStore
    session_store: SessionStore
    inbound_group_store: GroupSessionStore
    outbound_group_sessions: dict[str, OutboundGroupSession]
    users_for_key_query: set[str]
    uploaded_key_count: int | None
    message_index_store: MessageIndex
    handle_to_device_event: Callable[[object], object | None]
    _handle_key_claiming: Callable[[KeysClaimResponse], None]
    _decrypt_megolm_no_error: Callable[[object], Event | BadEvent | None]
    def group_encrypt(self, room_id: str, plaintext_dict: dict[str, Any]) -> dict[str, Any]: ...
    def share_group_session_parallel(
        self, room_id: str, users: list[str]
    ) -> Iterator[tuple[set[tuple[str, str]], dict[str, Any]]]: ...
    def share_keys(self) -> dict[str, Any]: ...
    def sign_json(self, json_dict: Mapping[str, Any]) -> str: ...
    def is_device_verified(self, device: OlmDevice) -> bool: ...
    def is_device_blacklisted(self, device: OlmDevice) -> bool: ...
