# What Tocsin uses of nio.store.

from contextlib import AbstractContextManager

class Database:
    def atomic(self) -> AbstractContextManager[object]: ...
    def close(self) -> bool: ...

class MatrixStore:
    database: Database

class SqliteStore(MatrixStore): ...
