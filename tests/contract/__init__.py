"""What OpenAI publishes, as a judge of what Tensoria answers.

`openai.schema.json` is data (see its README); `schemas` judges one body, `streams` a whole stream,
`client` is a Flask test client that lets no answer pass unjudged.
"""

from tests.contract.client import ContractClient
from tests.contract.schemas import check
from tests.contract.streams import check_stream

__all__ = ["ContractClient", "check", "check_stream"]
