//! JSON serialization of the wait graph.

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::graph::{LockResourceKind, ParticipantDetail};
use crate::utf8::to_valid_utf8;

impl Serialize for LockResourceKind {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// Session fields are `null` for missing sessions and for transactions without a session.
impl Serialize for ParticipantDetail {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let session = self.session.as_ref();
        let transaction = self.transaction.as_ref();
        let text = |bytes: Option<&Vec<u8>>| bytes.map(|bytes| to_valid_utf8(bytes));
        let last: Vec<String> = self.last_statements.iter().map(|statement| to_valid_utf8(statement)).collect();
        let mut out = to.serialize_struct("ParticipantDetail", 16)?;
        out.serialize_field("party", &self.party)?;
        out.serialize_field("role", &self.role)?;
        out.serialize_field("user", &text(session.map(|session| &session.user)))?;
        out.serialize_field("host", &text(session.map(|session| &session.host)))?;
        out.serialize_field("database", &text(session.and_then(|session| session.database.as_ref())))?;
        out.serialize_field("command", &text(session.map(|session| &session.command)))?;
        out.serialize_field("state", &text(session.and_then(|session| session.state.as_ref())))?;
        out.serialize_field("seconds", &session.map(|session| session.seconds))?;
        out.serialize_field("statement", &text(session.and_then(|session| session.statement.as_ref())))?;
        out.serialize_field("last_statements", &last)?;
        out.serialize_field("transaction_id", &transaction.map(|facts| facts.transaction.id))?;
        out.serialize_field("transaction_state", &transaction.map(|facts| &facts.transaction.state))?;
        out.serialize_field("transaction_seconds", &transaction.map(|facts| facts.transaction.seconds))?;
        out.serialize_field("rows_locked", &transaction.map(|facts| facts.transaction.rows_locked))?;
        out.serialize_field("rows_modified", &transaction.map(|facts| facts.transaction.rows_modified))?;
        out.serialize_field("xid", &transaction.and_then(|facts| facts.xid.as_ref()))?;
        out.serialize_field("gone", &(session.is_none() && self.party.session_id().is_some()))?;
        out.end()
    }
}
