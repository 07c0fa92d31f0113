from typing import Any

import pytest

from tensoria.openapi.document import build


@pytest.fixture(scope="session")
def document() -> dict[str, Any]:
    return build("1.2.3")
