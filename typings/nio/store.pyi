# What Tocsin uses of nio.store.

from collections.abc import Callable
from contextlib import AbstractContextManager

class Database:
    def atomic(self) -> AbstractContextManager[object]: ...
    def close(self) -> bool: ...
    def execute_sql(self, sql: str) -> object: ...

class MatrixStore:
    database: Database
    save_session: Callable[..., None]

class SqliteStore(MatrixStore):
    def __init__(
        self, user_id: str, device_id: str, store_path: str, pickle_key: str = ..., database_name: str = ...
    ) -> None: ...
