"""The documents for users, and the commands and programs that stand in them."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
README, GUIDE, CLIENTS = (
    ROOT / name for name in ("README.md", "docs/README.pt-BR.md", "docs/clients.md")
)
DOCUMENTS = (README, GUIDE, CLIENTS)
# In the documents' words: where the service is, and its key.
ADDRESSES = re.compile(r"http://(localhost|127\.0\.0\.1):8002")
KEYS = re.compile(r"\bKEY\b|not-needed|none-needed-on-loopback|tensoria_sua_chave_aqui")


def blocks(document: Path, *languages: str) -> list[str]:
    """Return the fenced blocks of a document in one of the languages."""
    pattern = rf"^```(?:{'|'.join(languages)})\n(.*?)^```"
    return re.findall(pattern, document.read_text(), flags=re.MULTILINE | re.DOTALL)


def commands(document: Path) -> list[str]:
    """Return the shell commands of a document, each whole, without comments."""
    return [
        command for block in blocks(document, "sh", "bash") for command in _commands_of_block(block)
    ]


def _commands_of_block(block: str) -> list[str]:
    """A command ends where a shell would run it: no open quote, no backslash at the end."""
    found, current = [], ""
    for line in block.splitlines():
        if not current and (not line.strip() or line.startswith("#")):
            continue
        current += line + "\n"
        if not line.endswith("\\") and _is_whole(current):
            found.append(current.strip())
            current = ""
    assert not current, f"a command without an end: {current}"
    return found


def _is_whole(text: str) -> bool:
    # Names in angle brackets stand for a word of the reader's; to a shell they would be files.
    readable = re.sub(r"<[\w-]+>", "WORD", text)
    return subprocess.run(["bash", "-n"], input=readable.encode(), check=False).returncode == 0
