"""What ends a command with one line on stderr and exit code 1."""


class CommandError(Exception):
    """The command cannot do what it was asked; the message names the next thing to do."""
