# What type checkers read in place of __init__.py, which imports each name only when it is used.
from packtrain.documents.receipt import Receipt as Receipt
from packtrain.errors import PacktrainError as PacktrainError
from packtrain.events import Event as Event
from packtrain.events import Notice as Notice
from packtrain.events import Progress as Progress
from packtrain.events import Sink as Sink
from packtrain.files.file_system import ShipmentFileSystem as ShipmentFileSystem
from packtrain.from_python import check_drives as check_drives
from packtrain.from_python import send_or_carry as send_or_carry
from packtrain.training.loader import Position as Position
from packtrain.training.loader import SampleStore as SampleStore
from packtrain.training.loader import open_loader as open_loader
from packtrain.voyage import Voyage as Voyage

__version__: str
__all__ = [
    "Event",
    "Notice",
    "PacktrainError",
    "Position",
    "Progress",
    "Receipt",
    "SampleStore",
    "ShipmentFileSystem",
    "Sink",
    "Voyage",
    "__version__",
    "check_drives",
    "open_loader",
    "send_or_carry",
]
