"""One request on its key."""

from contextlib import closing
from pathlib import Path

import pytest

from tensoria.admission.accounts import Accounts
from tensoria.admission.key import Key
from tensoria.admission.limits import Limits
from tensoria.admission.usage import Usage, here
from tensoria.admission.usage_file import read
from tensoria.errors import RateLimited


def test_an_account_is_settled_once(tmp_path: Path) -> None:
    """By the one who ends the answer, and by an opening that nobody waited for any more."""
    key = Key(name="ann", max_concurrency=1)
    with closing(Accounts(Limits(), Usage(tmp_path))) as accounts:
        first = accounts.open(key, None, here)
        first.settle(1, 2, 0.1)
        first.settle(1, 2, 0.1)
        accounts.open(key, None, here)
        with pytest.raises(RateLimited):
            accounts.open(key, None, here)

    assert read(tmp_path) == {("ann", ""): (1, 1, 2)}
