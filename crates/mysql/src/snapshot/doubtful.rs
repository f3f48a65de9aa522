//! Sessions whose seconds are checked once all rows were read. Their statements wait in a temporary file if they are large.

use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::vec;

use clew_model::Session;
use tempfile::SpooledTempFile;

/// Bytes of statements that stay in memory.
const STATEMENTS_IN_MEMORY: usize = 1 << 20;

/// Sessions without their statements, in the order in which they came, and the statements.
#[derive(Debug)]
pub(super) struct Doubtful {
    pub(super) sessions: Vec<Session>,
    /// Length of each session's statement; nothing if it has none.
    lengths: Vec<Option<usize>>,
    statements: SpooledTempFile,
}

impl Default for Doubtful {
    fn default() -> Self {
        Self { sessions: Vec::new(), lengths: Vec::new(), statements: SpooledTempFile::new(STATEMENTS_IN_MEMORY) }
    }
}

impl Doubtful {
    pub(super) fn push(&mut self, mut session: Session) -> io::Result<()> {
        let statement = session.statement.take();
        if let Some(statement) = &statement {
            self.statements.write_all(statement)?;
        }
        self.lengths.push(statement.map(|statement| statement.len()));
        self.sessions.push(session);
        Ok(())
    }

    /// The sessions with their statements, one at a time.
    pub(super) fn with_statements(mut self) -> io::Result<WithStatements> {
        self.statements.seek(SeekFrom::Start(0))?;
        let sessions = self.sessions.into_iter().zip(self.lengths).collect::<Vec<_>>().into_iter();
        Ok(WithStatements { sessions, statements: BufReader::new(self.statements) })
    }
}

/// Sessions that get their statements back.
#[derive(Debug)]
pub(super) struct WithStatements {
    sessions: vec::IntoIter<(Session, Option<usize>)>,
    statements: BufReader<SpooledTempFile>,
}

impl WithStatements {
    /// The next session; nothing after the last.
    pub(super) fn next(&mut self) -> io::Result<Option<Session>> {
        let Some((mut session, length)) = self.sessions.next() else { return Ok(None) };
        if let Some(length) = length {
            let mut statement = vec![0; length];
            self.statements.read_exact(&mut statement)?;
            session.statement = Some(statement);
        }
        Ok(Some(session))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_come_back_from_memory_and_from_a_file() {
        let large = vec![b'x'; STATEMENTS_IN_MEMORY];
        for statements in
            [vec![Some(b"SELECT 1".to_vec()), None, Some(Vec::new())], vec![Some(large), Some(b"DO 1".to_vec())]]
        {
            let mut doubtful = Doubtful::default();
            for (id, statement) in (1..).zip(&statements) {
                doubtful.push(Session { id, statement: statement.clone(), ..Session::default() }).unwrap();
            }
            let mut sessions = doubtful.with_statements().unwrap();
            for (id, statement) in (1..).zip(statements) {
                let session = sessions.next().unwrap().unwrap();
                assert!(session.id == id && session.statement == statement);
            }
            assert!(sessions.next().unwrap().is_none());
        }
    }
}
