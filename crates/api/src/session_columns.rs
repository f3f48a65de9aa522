//! Session columns that several API responses share.

use std::mem::take;

use clew_diagnose::bytes_to_text;
use clew_model::Session;
use clew_store::NewKillRecord;
use serde::Serialize;
use utoipa::ToSchema;

/// Columns of a session that identify the client and describe its current command.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionColumns {
    user: String,
    /// Client address with its port
    host: String,
    #[schema(required)]
    db: Option<String>,
    command: String,
    #[schema(required)]
    state: Option<String>,
}

impl From<&Session> for SessionColumns {
    fn from(session: &Session) -> Self {
        Self {
            user: bytes_to_text(&session.user),
            host: bytes_to_text(&session.host),
            db: session.database.as_deref().map(bytes_to_text),
            command: bytes_to_text(&session.command),
            state: session.state.as_deref().map(bytes_to_text),
        }
    }
}

/// Process list columns of a killed session, as read before Clew recorded and executed the kill.
#[derive(Serialize, ToSchema)]
pub(crate) struct KilledSessionColumns {
    /// Thread id
    session_id: u64,
    #[serde(flatten)]
    columns: SessionColumns,
    /// Duration of the session's state immediately before the kill, in seconds
    time: u64,
}

impl KilledSessionColumns {
    pub(crate) fn take_from(record: &mut NewKillRecord) -> Self {
        let NewKillRecord { user, host, database, command, state, .. } = record;
        let (user, host, command) = (take(user), take(host), take(command));
        let columns = SessionColumns { user, host, db: database.take(), command, state: state.take() };
        Self { session_id: record.session_id, columns, time: record.seconds }
    }
}
