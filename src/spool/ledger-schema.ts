/**
 * The ledger's tables, as migrations that are only ever added to: `PRAGMA user_version` counts how many a
 * database has had. No patient data: UIDs stand here as keyed hashes only.
 *
 * An instance's `state` is derived from its deliveries (see `derive` in ledger.ts) and kept beside them, so that
 * counting stays cheap: triggers keep `tally` up to date.
 */
export const migrations: readonly string[] = [
  `
  CREATE TABLE instance (
    seq INTEGER PRIMARY KEY,
    object_id TEXT NOT NULL UNIQUE,
    uid_key TEXT NOT NULL,
    study_key TEXT NOT NULL,
    digest TEXT NOT NULL,
    transfer_syntax TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    modality TEXT,
    calling_ae TEXT NOT NULL,
    priority INTEGER NOT NULL,
    epoch TEXT NOT NULL,
    state TEXT NOT NULL,
    verified_at INTEGER,
    gone TEXT
  );
  CREATE INDEX instance_uid ON instance (uid_key);
  CREATE INDEX instance_study ON instance (study_key);
  CREATE INDEX instance_moving ON instance (received_at) WHERE state IN ('queued', 'delivered');
  CREATE INDEX instance_purgeable ON instance (verified_at) WHERE state = 'verified' AND gone IS NULL;
  CREATE INDEX instance_epoch ON instance (epoch) WHERE gone IS NULL;

  CREATE TABLE delivery (
    instance INTEGER NOT NULL REFERENCES instance (seq),
    destination TEXT NOT NULL,
    study_key TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    state TEXT NOT NULL,
    in_flight INTEGER NOT NULL DEFAULT 0,
    due_at INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    unknowns INTEGER NOT NULL DEFAULT 0,
    first_attempt_at INTEGER,
    batch_max INTEGER,
    needs_digest INTEGER NOT NULL DEFAULT 0,
    assumed INTEGER NOT NULL DEFAULT 0,
    polls INTEGER NOT NULL DEFAULT 0,
    delivered_at INTEGER,
    verified_at INTEGER,
    proof TEXT,
    reason_code TEXT,
    reason_words TEXT,
    PRIMARY KEY (instance, destination)
  ) WITHOUT ROWID;
  CREATE INDEX delivery_queued ON delivery (destination, priority, instance) WHERE state = 'queued' AND in_flight = 0;
  CREATE INDEX delivery_queued_due ON delivery (destination, due_at) WHERE state = 'queued' AND in_flight = 0;
  CREATE INDEX delivery_queued_study ON delivery (destination, study_key, instance) WHERE state = 'queued' AND in_flight = 0;
  CREATE INDEX delivery_proof_due ON delivery (destination, due_at) WHERE state = 'delivered' AND in_flight = 0;
  CREATE INDEX delivery_parked ON delivery (state, instance) WHERE state IN ('held', 'quarantined', 'conflict');

  CREATE TABLE study (
    study_key TEXT PRIMARY KEY,
    last_received_at INTEGER NOT NULL,
    quiet_ms INTEGER NOT NULL,
    moving INTEGER NOT NULL DEFAULT 0,
    revision INTEGER NOT NULL DEFAULT 1,
    receipt_number INTEGER NOT NULL DEFAULT 0,
    receipt_revision INTEGER NOT NULL DEFAULT 0
  ) WITHOUT ROWID;
  CREATE INDEX study_due ON study (last_received_at) WHERE revision > receipt_revision;
  CREATE INDEX study_moving ON study (study_key) WHERE moving > 0;

  CREATE TABLE archive_study (
    study_key TEXT NOT NULL,
    destination TEXT NOT NULL,
    had INTEGER NOT NULL,
    PRIMARY KEY (study_key, destination)
  ) WITHOUT ROWID;

  CREATE TABLE recovered (at INTEGER NOT NULL);

  CREATE TABLE modality (
    name TEXT PRIMARY KEY,
    received INTEGER NOT NULL,
    last_received_at INTEGER NOT NULL
  ) WITHOUT ROWID;

  CREATE TABLE tally (
    scope TEXT NOT NULL,
    state TEXT NOT NULL,
    instances INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (scope, state)
  ) WITHOUT ROWID;

  CREATE TRIGGER instance_added AFTER INSERT ON instance BEGIN
    INSERT INTO tally VALUES ('', NEW.state, 1, NEW.bytes)
      ON CONFLICT DO UPDATE SET instances = instances + 1, bytes = bytes + NEW.bytes;
    UPDATE study SET moving = moving + (NEW.state IN ('queued', 'delivered')) WHERE study_key = NEW.study_key;
  END;
  CREATE TRIGGER instance_changed AFTER UPDATE OF state ON instance WHEN NEW.state <> OLD.state BEGIN
    UPDATE tally SET instances = instances - 1, bytes = bytes - OLD.bytes WHERE scope = '' AND state = OLD.state;
    INSERT INTO tally VALUES ('', NEW.state, 1, NEW.bytes)
      ON CONFLICT DO UPDATE SET instances = instances + 1, bytes = bytes + NEW.bytes;
    UPDATE study SET revision = revision + 1,
      moving = moving + (NEW.state IN ('queued', 'delivered')) - (OLD.state IN ('queued', 'delivered'))
      WHERE study_key = NEW.study_key;
  END;
  CREATE TRIGGER instance_removed AFTER DELETE ON instance BEGIN
    UPDATE tally SET instances = instances - 1, bytes = bytes - OLD.bytes WHERE scope = '' AND state = OLD.state;
    UPDATE study SET moving = moving - (OLD.state IN ('queued', 'delivered')) WHERE study_key = OLD.study_key;
  END;
  CREATE TRIGGER delivery_removed AFTER DELETE ON delivery BEGIN
    UPDATE tally SET instances = instances - 1, bytes = bytes - OLD.bytes
      WHERE scope = OLD.destination AND state = OLD.state;
  END;
  CREATE TRIGGER delivery_added AFTER INSERT ON delivery BEGIN
    INSERT INTO tally VALUES (NEW.destination, NEW.state, 1, NEW.bytes)
      ON CONFLICT DO UPDATE SET instances = instances + 1, bytes = bytes + NEW.bytes;
  END;
  CREATE TRIGGER delivery_changed AFTER UPDATE OF state ON delivery WHEN NEW.state <> OLD.state BEGIN
    UPDATE tally SET instances = instances - 1, bytes = bytes - OLD.bytes
      WHERE scope = OLD.destination AND state = OLD.state;
    INSERT INTO tally VALUES (NEW.destination, NEW.state, 1, NEW.bytes)
      ON CONFLICT DO UPDATE SET instances = instances + 1, bytes = bytes + NEW.bytes;
  END;
  `,
  `
  CREATE TABLE sender (
    configured INTEGER NOT NULL,
    name TEXT NOT NULL,
    received INTEGER NOT NULL,
    last_received_at INTEGER NOT NULL,
    PRIMARY KEY (configured, name)
  ) WITHOUT ROWID;
  INSERT INTO sender SELECT EXISTS (SELECT 1 FROM instance WHERE modality = name), name, received, last_received_at
    FROM modality;
  DROP TABLE modality;
  `,
  // A second, compressed form of an instance. `codec` says how far the codec is with it: none, waiting, taken,
  // ready, passed, or unproven (found when the ledger was rebuilt). `delivery.in_flight` is 2 while the codec is
  // asked first: such a delivery is in none of the indexes of what is due.
  `
  ALTER TABLE instance ADD COLUMN codec TEXT NOT NULL DEFAULT 'none';
  ALTER TABLE instance ADD COLUMN prepared_id TEXT;
  ALTER TABLE instance ADD COLUMN prepared_bytes INTEGER;
  ALTER TABLE instance ADD COLUMN prepared_syntax TEXT;
  ALTER TABLE instance ADD COLUMN prepared_epoch TEXT;
  ALTER TABLE instance ADD COLUMN sop_class TEXT;
  CREATE INDEX instance_codec ON instance (priority, seq) WHERE codec = 'waiting';
  CREATE INDEX instance_prepared ON instance (prepared_id) WHERE prepared_id IS NOT NULL;
  ALTER TABLE delivery ADD COLUMN form TEXT;
  ALTER TABLE delivery ADD COLUMN form_refused INTEGER NOT NULL DEFAULT 0;
  CREATE TABLE ability (
    destination TEXT NOT NULL,
    sop_class TEXT NOT NULL,
    transfer_syntax TEXT NOT NULL,
    accepted INTEGER NOT NULL,
    learned_at INTEGER NOT NULL,
    PRIMARY KEY (destination, sop_class, transfer_syntax)
  ) WITHOUT ROWID;
  `,
  // The prepared form of an instance at rest in place of the received one: `received_here` is 0 then. What a delivery
  // was last sent as, prepared, outlives that form. `at_rest` adds up, by triggers, what is stored so.
  `
  ALTER TABLE instance ADD COLUMN received_here INTEGER NOT NULL DEFAULT 1;
  ALTER TABLE instance ADD COLUMN prepared_digest TEXT;
  CREATE INDEX instance_unsettled ON instance (seq)
    WHERE prepared_id IS NOT NULL AND gone IS NULL AND (received_here = 1 OR codec = 'unproven');
  CREATE INDEX instance_replaced ON instance (seq) WHERE received_here = 0 AND gone IS NULL;
  ALTER TABLE delivery ADD COLUMN sent_syntax TEXT;
  ALTER TABLE delivery ADD COLUMN sent_bytes INTEGER;
  ALTER TABLE delivery ADD COLUMN sent_digest TEXT;
  CREATE TABLE at_rest (instances INTEGER NOT NULL, received_bytes INTEGER NOT NULL, stored_bytes INTEGER NOT NULL);
  INSERT INTO at_rest VALUES (0, 0, 0);
  CREATE TRIGGER instance_rested AFTER UPDATE OF received_here ON instance
    WHEN NEW.gone IS NULL AND NEW.received_here <> OLD.received_here BEGIN
    UPDATE at_rest SET instances = instances + OLD.received_here - NEW.received_here,
      received_bytes = received_bytes + (OLD.received_here - NEW.received_here) * NEW.bytes,
      stored_bytes = stored_bytes + coalesce((1 - NEW.received_here) * NEW.prepared_bytes, 0)
        - coalesce((1 - OLD.received_here) * OLD.prepared_bytes, 0);
  END;
  CREATE TRIGGER instance_left AFTER UPDATE OF gone ON instance
    WHEN NEW.gone IS NOT NULL AND OLD.gone IS NULL AND OLD.received_here = 0 BEGIN
    UPDATE at_rest SET instances = instances - 1, received_bytes = received_bytes - OLD.bytes,
      stored_bytes = stored_bytes - coalesce(OLD.prepared_bytes, 0);
  END;
  CREATE TABLE destination_settings (
    destination TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL
  ) WITHOUT ROWID;
  `,
  // The list of studies goes from the newest on, a page at a time.
  `
  CREATE INDEX study_recent ON study (last_received_at, study_key);
  `,
];
