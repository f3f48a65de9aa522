//! What the programs that opened the sessions call themselves.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use clew_model::{Failure, Limitation, LimitationKind};

use crate::connection::Connection;
use crate::statements;

/// Names by session: each name once, however many sessions have it. What cannot be read is added to `limitations`.
pub(crate) async fn read(
    connection: &mut Connection,
    unreadable: Option<&Limitation>,
    limitations: &mut Vec<Limitation>,
) -> Result<HashMap<u64, Arc<[u8]>>, Failure> {
    if let Some(gap) = unreadable {
        limitations.push(hidden(gap.why.clone(), gap.remedy.clone()));
        return Ok(HashMap::new());
    }
    let rows = named(connection, statements::PROGRAMS).await?;
    if rows.is_empty() && are_dropped(connection).await? {
        limitations.push(hidden(
            "The server keeps nothing of what clients tell of themselves.".to_owned(),
            Some("performance_schema_session_connect_attrs_size = 512, in the server's configuration file".to_owned()),
        ));
    }
    Ok(by_session(rows))
}

/// The same of these sessions alone, of a server where names can be read.
pub(crate) async fn read_of(connection: &mut Connection, sessions: &[u64]) -> Result<HashMap<u64, Arc<[u8]>>, Failure> {
    Ok(by_session(named(connection, &statements::programs_of(sessions)).await?))
}

/// Names of these sessions' programs, with the server's own error where they cannot be read.
pub(crate) async fn names_of(
    connection: &mut Connection,
    sessions: &[u64],
) -> Result<HashMap<u64, Arc<[u8]>>, crate::client::Error> {
    Ok(by_session(connection.ask(&statements::programs_of(sessions)).await?))
}

/// A session and the name of its program.
type Named = (u64, Option<Vec<u8>>);

async fn named(connection: &mut Connection, statement: &str) -> Result<Vec<Named>, Failure> {
    connection.ask(statement).await.map_err(|error| connection.failed(&error))
}

fn by_session(rows: Vec<Named>) -> HashMap<u64, Arc<[u8]>> {
    let mut names: HashSet<Arc<[u8]>> = HashSet::new();
    let mut by_session = HashMap::with_capacity(rows.len());
    for (session, name) in rows {
        let Some(name) = name else { continue };
        let name = match names.get(name.as_slice()) {
            Some(known) => known.clone(),
            None => Arc::from(name),
        };
        names.insert(name.clone());
        by_session.insert(session, name);
    }
    by_session
}

async fn are_dropped(connection: &mut Connection) -> Result<bool, Failure> {
    let size: Vec<i64> = connection.ask(statements::PROGRAMS_KEPT).await.map_err(|error| connection.failed(&error))?;
    Ok(size.first() == Some(&0))
}

fn hidden(why: String, remedy: Option<String>) -> Limitation {
    Limitation {
        kind: LimitationKind::NoProgramNames,
        what: "Names of the programs that opened the sessions cannot be read.".to_owned(),
        why,
        remedy,
    }
}
