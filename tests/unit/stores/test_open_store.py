"""A store is opened anew on every host of a load: what opens it is sent by pickle."""

import functools
import pickle
from pathlib import Path

import pytest

from packtrain.object_storage.address import ObjectPlace
from packtrain.ports import Store
from packtrain.stores import open_store


@pytest.mark.parametrize("place", [Path("/store"), ObjectPlace("bucket", "a/prefix", "http://10.77.0.1:9000")])
def test_what_opens_a_store_is_the_same_after_a_pickle(place: Path | ObjectPlace, tmp_path: Path) -> None:
    opening = functools.partial(open_store, place, tmp_path)
    sent = pickle.loads(pickle.dumps(opening))
    found: Store = sent()
    assert type(found) is type(opening())
    assert found.location == opening().location
    assert sent.args == (place, tmp_path)
