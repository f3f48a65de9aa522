//! The chain: every row carries the MAC of the one before; the newest and the oldest are kept apart, sealed too.

use clew_model::AuditEvent;

use super::super::rotation::KEY_ID;
use super::super::rows::hash;
use super::{SeenLinks, row};
use crate::audit::AuditCheckpoint;
use crate::database::{Connection, Row, query, query_scalar};
use crate::derived_keys::{DerivedKeys, authenticate};
use crate::error::StoreError;
use crate::master_key::MasterKey;

/// What stands before the first row.
pub(super) const NOTHING: [u8; 32] = [0; 32];
/// What stands before a row that was added when the head had been changed. Only who has the key can make such a row.
pub(super) const CHANGED_HEAD: [u8; 32] = [0xff; 32];

/// Name of the record of the newest row …
pub(super) const HEAD: &str = "head";
/// … and of the oldest that is kept: its position, and the MAC of the one before it.
pub(super) const CHECKPOINT: &str = "checkpoint";

/// One end of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    pub(super) seq: i64,
    pub(super) mac: [u8; 32],
}

impl End {
    /// The end of this name; nothing if it is missing or was changed.
    pub(super) async fn read(
        connection: &mut Connection,
        key: &MasterKey,
        name: &str,
    ) -> Result<Option<Self>, StoreError> {
        let row = query("SELECT seq, mac, seal FROM audit_ends WHERE name = $1")
            .bind(name)
            .fetch_optional(connection)
            .await
            .map_err(StoreError::database("read an end of the audit"))?;
        row.map_or(Ok(None), |row| Self::of(&row, key, name))
    }

    /// The head, for who adds to it. Fails where the master key was rotated meanwhile: rows under the old one would be taken for forged, and
    /// what was sealed with it could not be opened.
    async fn read_head(connection: &mut Connection, keys: &DerivedKeys) -> Result<Option<Self>, StoreError> {
        let failed = StoreError::database("read an end of the audit");
        let row = query(
            "SELECT seq, mac, seal, (SELECT value FROM settings WHERE name = $2) AS key_id FROM audit_ends WHERE name = $1",
        )
        .bind(HEAD)
        .bind(KEY_ID)
        .fetch_optional(connection)
        .await
        .map_err(&failed)?;
        let Some(row) = row else { return Ok(None) };
        let id: Option<Vec<u8>> = row.try_get("key_id").map_err(failed)?;
        if keys.is(id.as_deref()) { Self::of(&row, &keys.audit, HEAD) } else { Err(StoreError::MasterKeyRotated) }
    }

    fn of(row: &Row, key: &MasterKey, name: &str) -> Result<Option<Self>, StoreError> {
        let failed = StoreError::database("read an end of the audit");
        let (Ok(mac), Ok(seal)) = (hash(row, "mac"), hash(row, "seal")) else { return Ok(None) };
        let end = Self { seq: row.try_get("seq").map_err(&failed)?, mac };
        Ok((end.seal(key, name) == seal).then_some(end))
    }

    pub(super) async fn write(
        self,
        connection: &mut Connection,
        key: &MasterKey,
        name: &str,
    ) -> Result<(), StoreError> {
        let written = query(
            "INSERT INTO audit_ends (name, seq, mac, seal) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (name) DO UPDATE SET seq = excluded.seq, mac = excluded.mac, seal = excluded.seal",
        )
        .bind(name)
        .bind(self.seq)
        .bind(self.mac.as_slice())
        .bind(self.seal(key, name).as_slice())
        .execute(connection)
        .await;
        written.map(drop).map_err(StoreError::database("write an end of the audit"))
    }

    fn seal(self, key: &MasterKey, name: &str) -> [u8; 32] {
        authenticate(key, &[b"end", name.as_bytes(), &self.seq.to_be_bytes(), &self.mac])
    }
}

/// Writes the ends of an audit without rows. Done once: an audit without ends was tampered with.
pub(crate) async fn begin(connection: &mut Connection, key: &MasterKey) -> Result<(), StoreError> {
    End { seq: 0, mac: NOTHING }.write(connection, key, HEAD).await?;
    End { seq: 1, mac: NOTHING }.write(connection, key, CHECKPOINT).await
}

/// Adds rows, each with its moment in milliseconds since 1970 (UTC). The connection must be in a transaction with the write lock: no other
/// writer may append between reading and updating the head. Compares the head with the newest row that this process has seen: afterwards
/// the new rows would hide a loss. Returns the newest row, for [`SeenLinks::record`] after the commit.
pub(crate) async fn append(
    connection: &mut Connection,
    keys: &DerivedKeys,
    seen_links: &SeenLinks,
    events: &[(i64, &AuditEvent)],
) -> Result<AuditCheckpoint, StoreError> {
    let key = &keys.audit;
    // All rows that are known were committed before this transaction got the write lock.
    let known = seen_links.newest();
    let head = End::read_head(connection, keys).await?;
    seen_links.compare_with_head(connection, key, head, known).await?;
    let mut newest = match head {
        Some(head) => head,
        None => End { seq: last_seq(connection).await?, mac: CHANGED_HEAD },
    };
    for (at, event) in events {
        let row = row::Row::new(newest.seq.saturating_add(1), *at, newest.mac, event);
        let mac = row.mac(key);
        row.insert(connection, &mac).await?;
        newest = End { seq: row.seq, mac };
    }
    newest.write(connection, key, HEAD).await?;
    let at = events.last().map_or(0, |(at, _)| *at);
    Ok(AuditCheckpoint { seq: newest.seq, link: hex::encode(newest.mac), at })
}

/// The highest position that was ever given out, as far as can be seen.
pub(super) async fn last_seq(connection: &mut Connection) -> Result<i64, StoreError> {
    query_scalar(
        "SELECT COALESCE(MAX(seq), 0) FROM (SELECT MAX(seq) AS seq FROM audit UNION ALL SELECT MAX(seq) FROM audit_ends) AS seen",
    )
    .fetch_one(connection)
    .await
    .map_err(StoreError::database("read the audit"))
}
