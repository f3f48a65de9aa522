//! How a server carries out what a session runs.

use clew_diagnose::clean;
use clew_model::{Failure, NodeUrl};
use tokio::time::timeout;

use crate::client::{Cells, Error};
use crate::connection::Connection;
use crate::limits::Limits;
use crate::server::Flavor;
use crate::{failure, statements};
use statements::NO_SUCH_THREAD;

/// Rows of a plan that are shown: one for each table of the statement.
const MOST: usize = 1000;
/// Bytes of one row that are shown.
const MAX_ROW: usize = 64 << 10;

/// What a server says of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Explained {
    /// The plan, as a table of text: a line for the names of the columns, and one for each row.
    Plan(String),
    /// There is none to show, in the server's words: the session runs nothing, or nothing that has a plan, or the account may not see it.
    None(String),
    /// There is no such session.
    Gone,
}

/// Asks for the plan of what a session runs now.
///
/// Fails with the reason, within the limits; what was under way on the server when this fails or is dropped is killed there.
pub async fn explain_session(node: &NodeUrl, id: u64, limits: &Limits) -> Result<Explained, Failure> {
    let asking = failure::without_panic(node, Box::pin(explain(node, id, limits)));
    let asked = timeout(limits.node, asking).await;
    asked.unwrap_or_else(|_| Err(failure::timed_out(&node.address(), "explaining a statement", limits.node)))
}

async fn explain(node: &NodeUrl, id: u64, limits: &Limits) -> Result<Explained, Failure> {
    let mut connection = Connection::open(node, limits).await?;
    let asked = match connection.flavor {
        Flavor::MySql => read(&mut connection, &statements::explain_mysql(id)).await,
        Flavor::MariaDb => match connection.link.client.execute(statements::ANSWER_SOON).await {
            Ok(()) => read(&mut connection, &statements::explain_mariadb(id)).await,
            Err(error) => Err(error),
        },
    };
    let explained = match asked {
        Ok(lines) => Explained::Plan(aligned(&lines)),
        Err(Error::Server(error)) if error.code == NO_SUCH_THREAD => Explained::Gone,
        Err(Error::Server(error)) if failure::took_too_long(&error) && connection.flavor == Flavor::MariaDb => {
            Explained::None("The session does not tell: it waits for something.".to_owned())
        }
        Err(Error::Server(error)) if !failure::took_too_long(&error) => Explained::None(error.message),
        Err(error) => return Err(connection.failed(&error)),
    };
    connection.close().await;
    Ok(explained)
}

/// Names of the columns, then rows.
async fn read(connection: &mut Connection, statement: &str) -> Result<Vec<Vec<String>>, Error> {
    let mut rows = connection.link.client.query(statement, MAX_ROW).await?;
    let names: Vec<String> = rows.columns().iter().map(|column| clean(column.name_ref())).collect();
    let width = names.len();
    let mut lines: Vec<Vec<String>> = vec![names];
    while let Some(row) = rows.next().await? {
        if lines.len() <= MOST {
            lines.push(texts(row, width)?);
        }
    }
    Ok(lines)
}

fn texts(mut row: Cells<'_>, width: usize) -> Result<Vec<String>, Error> {
    (0..width).map(|_| Ok(row.next_cell()?.map_or_else(|| "NULL".to_owned(), clean))).collect()
}

/// Columns under each other.
fn aligned(lines: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for line in lines {
        for (place, cell) in line.iter().enumerate() {
            let width = cell.chars().count();
            match widths.get_mut(place) {
                Some(known) => *known = width.max(*known),
                None => widths.push(width),
            }
        }
    }
    let aligned = |line: &Vec<String>| {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    lines.iter().map(aligned).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_each_other() {
        let lines = [vec!["id", "table"], vec!["1", "Städte"], vec!["10", "t"]];
        let lines = lines.map(|line| line.into_iter().map(str::to_owned).collect());
        assert_eq!(aligned(&lines), "id  table\n1   Städte\n10  t");
        assert_eq!(aligned(&[]), "");
    }
}
