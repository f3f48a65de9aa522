//! Reads the program names that clients send as a connection attribute.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use clew_model::{Failure, Limitation, LimitationKind};

use crate::connection::Connection;
use crate::statements;

/// Reads the program names of all sessions. Equal names share one allocation.
/// Appends limitations for unreadable data.
pub(crate) async fn read_all(
    connection: &mut Connection,
    unreadable: Option<&Limitation>,
    limitations: &mut Vec<Limitation>,
) -> Result<HashMap<u64, Arc<[u8]>>, Failure> {
    if let Some(gap) = unreadable {
        limitations.push(no_program_names(gap.why.clone(), gap.remedy.clone()));
        return Ok(HashMap::new());
    }
    let rows = query_names(connection, statements::PROGRAM_NAMES).await?;
    if rows.is_empty() && attributes_disabled(connection).await? {
        limitations.push(no_program_names(
            "The server keeps nothing of what clients tell of themselves.".to_owned(),
            Some("performance_schema_session_connect_attrs_size = 512, in the server's configuration file".to_owned()),
        ));
    }
    Ok(names_by_session(rows))
}

/// Reads the program names of these sessions.
pub(crate) async fn read_for_sessions(
    connection: &mut Connection,
    sessions: &[u64],
) -> Result<HashMap<u64, Arc<[u8]>>, Failure> {
    Ok(names_by_session(query_names(connection, &statements::program_names_of(sessions)).await?))
}

/// Reads the program names of these sessions. Returns the server's error if they cannot be read.
pub(crate) async fn query_for_sessions(
    connection: &mut Connection,
    sessions: &[u64],
) -> Result<HashMap<u64, Arc<[u8]>>, crate::client::Error> {
    Ok(names_by_session(connection.query_all(&statements::program_names_of(sessions)).await?))
}

/// Session id and program name.
type NameRow = (u64, Option<Vec<u8>>);

async fn query_names(connection: &mut Connection, statement: &str) -> Result<Vec<NameRow>, Failure> {
    connection.query_all(statement).await.map_err(|error| connection.to_failure(&error))
}

fn names_by_session(rows: Vec<NameRow>) -> HashMap<u64, Arc<[u8]>> {
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

async fn attributes_disabled(connection: &mut Connection) -> Result<bool, Failure> {
    let size: Vec<i64> = connection
        .query_all(statements::CONNECT_ATTRIBUTES_SIZE)
        .await
        .map_err(|error| connection.to_failure(&error))?;
    Ok(size.first() == Some(&0))
}

fn no_program_names(why: String, remedy: Option<String>) -> Limitation {
    Limitation {
        kind: LimitationKind::NoProgramNames,
        what: "Names of the programs that opened the sessions cannot be read.".to_owned(),
        why,
        remedy,
    }
}
