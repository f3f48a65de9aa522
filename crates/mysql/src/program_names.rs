//! Reads program names, which clients send in the connection attribute `program_name`.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use clew_model::{Failure, Limitation};

use crate::connection::Connection;
use crate::{limitations, privileges, sql_statements};

/// Returns a map from session ids to program names.
/// Adds a note about missing data to `limitations` if program names are unavailable.
pub(crate) async fn read_all_program_names(
    connection: &mut Connection,
    unreadable: Option<&Limitation>,
    limitations: &mut Vec<Limitation>,
) -> Result<HashMap<u64, Arc<[u8]>>, Failure> {
    if let Some(gap) = unreadable {
        limitations
            .push(limitations::replace_cause_and_remedy(limitations::describe_disabled_connection_attributes(), gap));
        return Ok(HashMap::new());
    }
    let rows = connection.read_rows(sql_statements::ALL_PROGRAM_NAMES_QUERY).await?;
    let size_query = sql_statements::CONNECTION_ATTRIBUTE_BUFFER_SIZE_QUERY;
    if rows.is_empty() && privileges::query_single_value(connection, size_query).await? == Some(0_i64) {
        limitations.push(limitations::describe_disabled_connection_attributes());
    }
    Ok(intern_program_names(rows))
}

/// Session id and program name.
type NameRow = (u64, Option<Vec<u8>>);

/// Maps session ids to program names. Stores each distinct program name only once.
pub(crate) fn intern_program_names(rows: Vec<NameRow>) -> HashMap<u64, Arc<[u8]>> {
    let mut names: HashSet<Arc<[u8]>> = HashSet::new();
    let mut by_session = HashMap::with_capacity(rows.len());
    for (session, name) in rows {
        let Some(name) = name else { continue };
        let name = match names.get(name.as_slice()) {
            Some(shared) => shared.clone(),
            None => Arc::from(name),
        };
        names.insert(name.clone());
        by_session.insert(session, name);
    }
    by_session
}
