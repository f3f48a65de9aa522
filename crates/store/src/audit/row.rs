//! Converts audit events to and from database rows.

use clew_model::{Actor, AuditEvent, AuditOrigin, AuditOutcome};

use crate::audit::AuditRecord;
use crate::database::{FromRow, Parameter, Row, Transaction, params, query};
use crate::derived_keys::compute_hmac;
use crate::error::StoreError;
use crate::master_key::MasterKey;

/// Text columns of an audit row, in the order of the SQL parameters and of the MAC input.
const AUDIT_TEXT_COLUMNS: [&str; 15] = [
    "actor_kind",
    "actor_id",
    "actor_name",
    "actor_domain_id",
    "peer",
    "request_id",
    "operation",
    "domain_id",
    "project_id",
    "instance_id",
    "node_id",
    "target",
    "outcome",
    "code",
    "detail",
];

const INSERT_AUDIT_ROW_SQL: &str = "INSERT INTO audit (seq, at, previous, mac, actor_kind, actor_id, actor_name, actor_domain_id, peer, \
         request_id, operation, domain_id, project_id, instance_id, node_id, target, outcome, code, detail) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)";

pub(crate) struct AuditRow {
    pub(crate) seq: i64,
    pub(crate) at: i64,
    pub(crate) previous: [u8; 32],
    texts: [Option<String>; AUDIT_TEXT_COLUMNS.len()],
}

impl AuditRow {
    pub(crate) fn new(seq: i64, at: i64, previous: [u8; 32], event: &AuditEvent) -> Self {
        let (actor_id, actor_domain) = match &event.origin.actor {
            Actor::User { id, domain_id, .. } => (Some(id.to_string()), Some(domain_id.to_string())),
            _ => (None, None),
        };
        let texts = [
            Some(encode_actor_kind(&event.origin.actor).to_owned()),
            actor_id,
            Some(event.origin.actor.name().to_owned()),
            actor_domain,
            event.origin.peer.map(|peer| peer.to_string()),
            Some(event.origin.request_id.clone()),
            Some(event.operation.clone()),
            event.domain_id.as_ref().map(ToString::to_string),
            event.project_id.as_ref().map(ToString::to_string),
            event.instance_id.as_ref().map(ToString::to_string),
            event.node_id.as_ref().map(ToString::to_string),
            Some(event.target.clone()),
            Some(event.outcome.name().to_owned()),
            event.code.clone(),
            Some(event.detail.to_string()),
        ];
        // PostgreSQL cannot store U+0000.
        let texts =
            texts.map(|text| text.map(|text| if text.contains('\0') { text.replace('\0', "\u{2400}") } else { text }));
        Self { seq, at, previous, texts }
    }

    pub(crate) fn read_row_with_mac(row: &Row) -> Result<(Self, [u8; 32]), StoreError> {
        let mut texts = [const { None }; AUDIT_TEXT_COLUMNS.len()];
        for (text, column) in texts.iter_mut().zip(AUDIT_TEXT_COLUMNS) {
            *text = row.get(column)?;
        }
        let (seq, at) = (row.get("seq")?, row.get("at")?);
        Ok((Self { seq, at, previous: row.get("previous")?, texts }, row.get("mac")?))
    }

    /// Each text column has a length prefix, so the MAC input is unambiguous.
    pub(crate) fn compute_row_mac(&self, key: &MasterKey) -> [u8; 32] {
        let mut bytes = Vec::with_capacity(512);
        bytes.extend(self.seq.to_be_bytes());
        bytes.extend(self.at.to_be_bytes());
        for text in &self.texts {
            match text {
                None => bytes.push(0),
                Some(text) => {
                    bytes.push(1);
                    bytes.extend((text.len() as u64).to_be_bytes());
                    bytes.extend(text.as_bytes());
                }
            }
        }
        compute_hmac(key, &[b"row", &self.previous, &bytes])
    }

    pub(crate) async fn insert(&self, transaction: &mut Transaction, mac: &[u8; 32]) -> Result<(), StoreError> {
        let parameters = params![self.seq, self.at, self.previous.as_slice(), mac.as_slice()];
        let parameters = parameters.into_iter().chain(self.texts.iter().map(Parameter::from));
        query("write to the audit log", INSERT_AUDIT_ROW_SQL, parameters).execute(transaction).await.map(drop)
    }
}

impl FromRow for AuditRecord {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let seq: i64 = row.get("seq")?;
        let damaged = |reason: String| StoreError::Damaged {
            what: "audit row",
            reason: format!("row {seq}: {reason}; run clew audit verify for details"),
        };
        let outcome: String = row.get("outcome")?;
        let detail: String = row.get("detail")?;
        let origin =
            AuditOrigin { actor: actor_from_row(row)?, peer: row.get("peer")?, request_id: row.get("request_id")? };
        let event = AuditEvent {
            origin,
            operation: row.get("operation")?,
            domain_id: row.get("domain_id")?,
            project_id: row.get("project_id")?,
            instance_id: row.get("instance_id")?,
            node_id: row.get("node_id")?,
            target: row.get("target")?,
            outcome: AuditOutcome::from_name(&outcome).ok_or_else(|| damaged(format!("outcome {outcome:?}")))?,
            code: row.get("code")?,
            detail: serde_json::from_str(&detail).map_err(|error| damaged(error.to_string()))?,
        };
        let link = hex::encode(row.get::<Vec<u8>>("mac")?);
        Ok(Self { seq, at: row.get("at")?, event, link })
    }
}

/// This value must not change, because the MACs of existing audit rows depend on it.
const ANONYMOUS_ACTOR_KIND: &str = "nobody";

fn encode_actor_kind(actor: &Actor) -> &'static str {
    match actor {
        Actor::Anonymous { .. } => ANONYMOUS_ACTOR_KIND,
        _ => actor.kind(),
    }
}

fn actor_from_row(row: &Row) -> Result<Actor, StoreError> {
    let kind: String = row.get("actor_kind")?;
    let name: String = row.get("actor_name")?;
    Ok(match &*kind {
        "user" => Actor::User { id: row.get("actor_id")?, name, domain_id: row.get("actor_domain_id")? },
        "local" => Actor::Local { user: name },
        "clew" => Actor::Clew,
        ANONYMOUS_ACTOR_KIND => Actor::Anonymous { claimed: name },
        _ => return Err(StoreError::Damaged { what: "type of an actor", reason: kind }),
    })
}
