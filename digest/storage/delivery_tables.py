"""The tables of lists and deliveries."""

import sqlalchemy as sa

from digest.storage.tables import Instant, metadata, new_id

subscribers = sa.Table(
    "subscribers",
    metadata,
    new_id(),
    sa.Column("newsletter", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("first_name", sa.Text, nullable=False),
    sa.Column("topics", sa.Text, nullable=False),  # a JSON list in order, "" for everything
    sa.Column("frequency", sa.Text, nullable=False),
    sa.Column("language", sa.Text, nullable=False),
    sa.Column("timezone", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("origin", sa.Text, nullable=False),
    sa.Column("joined_at", Instant, nullable=False),
    sa.Column("left_at", Instant),
    sa.Column("left_by", sa.Text, nullable=False),
    sa.Column("left_edition_id", sa.BigInteger),
    sa.Column("left_why", sa.Text, nullable=False, server_default=""),
    sa.Column("paused_until_at", Instant),
    sa.Column("is_uncounted", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.UniqueConstraint("newsletter", "key"),
    # An erased reader's number stands in old deliveries; nobody else ever gets it.
    sqlite_autoincrement=True,
)

suppressions = sa.Table(
    "suppressions",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("origin", sa.Text, nullable=False),
    sa.Column("since_at", Instant, nullable=False),
)

# What is left of an erased address: enough to know it again, not enough to write to it.
erasures = sa.Table(
    "erasures",
    metadata,
    sa.Column("hashed", sa.Text, primary_key=True),
    sa.Column("erased_at", Instant, nullable=False),
)

variants = sa.Table(
    "variants",
    metadata,
    new_id(),
    sa.Column("edition_id", sa.ForeignKey("editions.id", ondelete="CASCADE"), nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("topics", sa.JSON, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("preheader", sa.Text, nullable=False),
    sa.Column("html", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("tokens", sa.JSON, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.UniqueConstraint("edition_id", "key"),
)

# One edition to one subscriber; rows never change. The primary key is what makes a second copy
# impossible. `planned` numbers the batches of an edition as they were planned.
deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("edition_id", sa.ForeignKey("editions.id"), primary_key=True),
    sa.Column("subscriber_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("planned", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

exclusions = sa.Table(
    "exclusions",
    metadata,
    sa.Column("edition_id", sa.ForeignKey("editions.id"), primary_key=True),
    sa.Column("subscriber_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("reason", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)

# A batch is those deliveries of its edition with the same `planned` whose subscriber is in
# [first_id, last_id]; a split leaves two batches with one half of the range each.
batches = sa.Table(
    "batches",
    metadata,
    new_id(),
    sa.Column("edition_id", sa.ForeignKey("editions.id"), nullable=False, index=True),
    sa.Column("planned", sa.BigInteger, nullable=False),
    sa.Column("variant", sa.Text, nullable=False),
    sa.Column("first_id", sa.BigInteger, nullable=False),
    sa.Column("last_id", sa.BigInteger, nullable=False),
    sa.Column("readers", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("holder", sa.Text, nullable=False),
    sa.Column("wave_at", Instant),  # when its readers get it; NULL where all do at one time
    sa.Column("not_before_at", Instant),
    sa.Column("lease_until_at", Instant),
)

# The ledger: a row is added with each claim and closed once.
attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("batch_id", sa.ForeignKey("batches.id"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("readers", sa.Integer, nullable=False),
    sa.Column("withdrawn", sa.JSON, nullable=False),  # reason: ids of who left since the plan
    sa.Column("reservation", sa.Text, nullable=False),
    sa.Column("mark", sa.Text, nullable=False),  # random, and in what the provider says of the try
    sa.Column("release_at", Instant),
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("finished_at", Instant, index=True),
    sa.Column("status", sa.Integer),
    sa.Column("reference", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("body_sha256", sa.Text, nullable=False),
    sa.Column("settled_by", sa.Text, nullable=False),
)

# The provider's reports as they came, until they are folded.
inbox = sa.Table(
    "inbox",
    metadata,
    new_id(),
    sa.Column("sha256", sa.Text, nullable=False, unique=True),
    sa.Column("body", sa.LargeBinary, nullable=False),  # JSON, compressed
    sa.Column("state", sa.Text, nullable=False, index=True),  # waiting, folded or dead
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("taken_at", Instant, nullable=False),
)

# Never an address: what is suppressed goes into that table.
events = sa.Table(
    "events",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("edition_id", sa.BigInteger),
    sa.Column("subscriber_id", sa.BigInteger),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)

# Whom servers refuse again and again is found by this; it is small, as few events are such.
sa.Index(
    "ix_events_blocked",
    events.c.subscriber_id,
    sqlite_where=events.c.kind == "blocked",
    postgresql_where=events.c.kind == "blocked",
)

# What the events say of a delivery; it only grows.
outcomes = sa.Table(
    "outcomes",
    metadata,
    sa.Column("edition_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("subscriber_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("rank", sa.Integer, nullable=False),  # of model.deliveries.DeliveryState, in order
    sa.Column("at", Instant, nullable=False),
    sqlite_with_rowid=False,
)

# Instants that runs share: the next free slot of the rate limit, the last sync of suppressions.
instants = sa.Table(
    "instants",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("at", Instant, nullable=False),
)
