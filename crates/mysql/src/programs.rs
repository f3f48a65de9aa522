//! What the programs that opened the sessions call themselves.

use clew_model::{Failure, Limitation, LimitationKind};

use crate::connection::Connection;
use crate::statements;

/// Names by session. What cannot be read is added to `limitations`.
pub(crate) async fn read(
    connection: &mut Connection,
    unreadable: Option<&Limitation>,
    limitations: &mut Vec<Limitation>,
) -> Result<Vec<(u64, Vec<u8>)>, Failure> {
    if let Some(gap) = unreadable {
        limitations.push(hidden(gap.why.clone(), gap.remedy.clone()));
        return Ok(Vec::new());
    }
    let rows: Vec<(u64, Option<Vec<u8>>)> =
        connection.ask(statements::PROGRAMS).await.map_err(|error| connection.failed(&error))?;
    if rows.is_empty() && are_dropped(connection).await? {
        limitations.push(hidden(
            "The server keeps nothing of what clients tell of themselves.".to_owned(),
            Some("performance_schema_session_connect_attrs_size = 512, in the server's configuration file".to_owned()),
        ));
    }
    Ok(rows.into_iter().filter_map(|(session, name)| Some((session, name?))).collect())
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
