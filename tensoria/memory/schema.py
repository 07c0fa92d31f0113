"""The tables of the memory, in their first version.

`chains` are what is forgotten as a whole: a response and all that follow on it, by the first one's
id. An item belongs to a response, to a conversation or to both, and goes with the last of them.
Times are in seconds since 1970; a body is JSON.
"""

VERSION = 1

# A row per statement: `executescript` would end the transaction that they are made in.
STATEMENTS = (
    """
    CREATE TABLE chains (
        id TEXT PRIMARY KEY, owner TEXT NOT NULL, used REAL NOT NULL
    ) WITHOUT ROWID
    """,
    "CREATE INDEX chains_used ON chains (used)",
    # `worker` is the token of the one that runs it, and NULL when it is over.
    """
    CREATE TABLE responses (
        id TEXT PRIMARY KEY, owner TEXT NOT NULL, created REAL NOT NULL,
        chain TEXT NOT NULL REFERENCES chains (id) ON DELETE CASCADE,
        previous TEXT, conversation TEXT, status TEXT NOT NULL,
        background INTEGER NOT NULL, worker TEXT, cancelled INTEGER NOT NULL DEFAULT 0,
        body BLOB NOT NULL
    )
    """,
    "CREATE INDEX responses_chain ON responses (chain)",
    "CREATE INDEX responses_worker ON responses (worker) WHERE worker IS NOT NULL",
    """
    CREATE TABLE conversations (
        id TEXT PRIMARY KEY, owner TEXT NOT NULL, created REAL NOT NULL, used REAL NOT NULL,
        metadata BLOB NOT NULL
    )
    """,
    "CREATE INDEX conversations_used ON conversations (used)",
    # `place` is an item's in its conversation: what ends later stands later.
    """
    CREATE TABLE items (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, owner TEXT NOT NULL,
        response TEXT REFERENCES responses (id) ON DELETE SET NULL,
        conversation TEXT REFERENCES conversations (id) ON DELETE SET NULL,
        output INTEGER NOT NULL, place INTEGER, body BLOB NOT NULL
    )
    """,
    "CREATE INDEX items_response ON items (response)",
    "CREATE INDEX items_conversation ON items (conversation, place)",
    "CREATE INDEX items_id ON items (id)",
    """
    CREATE TRIGGER items_left AFTER UPDATE OF response, conversation ON items
    WHEN NEW.response IS NULL AND NEW.conversation IS NULL
    BEGIN DELETE FROM items WHERE seq = NEW.seq; END
    """,
    # A row holds what was written at a time: a JSON list, its events numbered first to last.
    """
    CREATE TABLE events (
        response TEXT NOT NULL REFERENCES responses (id) ON DELETE CASCADE,
        first INTEGER NOT NULL, last INTEGER NOT NULL, body BLOB NOT NULL,
        PRIMARY KEY (response, first)
    )
    """,
)
