# What Tocsin uses of nio.store.

class Database:
    def close(self) -> bool: ...

class MatrixStore:
    database: Database

class SqliteStore(MatrixStore): ...
