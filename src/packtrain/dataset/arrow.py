"""Names for pyarrow's types, which come without type information: signatures say what they hold, no checker does."""

from __future__ import annotations

from typing import Any, TypeAlias

Table: TypeAlias = Any
RecordBatch: TypeAlias = Any
Schema: TypeAlias = Any
ParquetWriter: TypeAlias = Any
