//! Sessions whose seconds are checked once all rows were read. Until then they are in a temporary file, or in memory if they are small.

use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::vec;

use clew_model::Session;
use tempfile::SpooledTempFile;
use tokio::task::spawn_blocking;

use crate::statement_ages::SessionAge;

/// Bytes of sessions that stay in memory.
const IN_MEMORY: usize = 64 << 10;
/// Length of a text that is NULL.
const NULL: u64 = u64::MAX;

/// Sessions in the order in which they came: their ages here, their texts in the file.
#[derive(Debug)]
pub(super) struct Doubtful {
    pub(super) ages: Vec<SessionAge>,
    texts: BufWriter<SpooledTempFile>,
}

impl Default for Doubtful {
    fn default() -> Self {
        Self { ages: Vec::new(), texts: BufWriter::new(SpooledTempFile::new(IN_MEMORY)) }
    }
}

impl Doubtful {
    /// Adds a session. A long statement is written off the runtime's threads.
    pub(super) async fn push(mut self, session: Session) -> io::Result<Self> {
        if session.statement.as_ref().is_none_or(|statement| statement.len() <= IN_MEMORY) {
            return self.write(&session).map(|()| self);
        }
        spawn_blocking(move || self.write(&session).map(|()| self)).await.map_err(io::Error::other)?
    }

    fn write(&mut self, session: &Session) -> io::Result<()> {
        self.ages.push(SessionAge::of(session));
        let Session { user, host, database, command, state, statement, .. } = session;
        let texts = [Some(user), Some(host), Some(command), database.as_ref(), state.as_ref(), statement.as_ref()];
        for text in texts {
            let length = text.map_or(NULL, |text| text.len() as u64);
            self.texts.write_all(&length.to_ne_bytes())?;
            self.texts.write_all(text.map_or(&[], Vec::as_slice))?;
        }
        Ok(())
    }

    /// The sessions, one at a time, with the seconds of their ages.
    pub(super) fn into_sessions(self) -> io::Result<Sessions> {
        let mut texts = self.texts.into_inner().map_err(io::IntoInnerError::into_error)?;
        texts.seek(SeekFrom::Start(0))?;
        Ok(Sessions { ages: self.ages.into_iter(), texts: BufReader::new(texts) })
    }
}

/// Sessions that are read back.
#[derive(Debug)]
pub(super) struct Sessions {
    ages: vec::IntoIter<SessionAge>,
    texts: BufReader<SpooledTempFile>,
}

impl Sessions {
    /// The next session; nothing after the last.
    pub(super) fn next(&mut self) -> io::Result<Option<Session>> {
        let Some(SessionAge { id, seconds, .. }) = self.ages.next() else { return Ok(None) };
        // In the order in which they were written.
        let (user, host, command) = (self.text()?, self.text()?, self.text()?);
        let (database, state, statement) = (self.text()?, self.text()?, self.text()?);
        let [user, host, command] = [user, host, command].map(Option::unwrap_or_default);
        Ok(Some(Session { id, user, host, database, command, seconds, state, statement }))
    }

    fn text(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut length = [0; 8];
        self.texts.read_exact(&mut length)?;
        let length = u64::from_ne_bytes(length);
        if length == NULL {
            return Ok(None);
        }
        let mut text = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        self.texts.read_exact(&mut text)?;
        Ok(Some(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sessions_come_back_from_memory_and_from_a_file() {
        let session = |id, statement: Option<&[u8]>| Session {
            id,
            user: b"app".to_vec(),
            host: b"10.0.0.7:51234".to_vec(),
            database: (id == 1).then(|| b"shop".to_vec()),
            command: b"Query".to_vec(),
            seconds: id,
            state: (id == 2).then(|| b"executing".to_vec()),
            statement: statement.map(<[u8]>::to_vec),
        };
        let large = vec![b'x'; IN_MEMORY + 1];
        for statements in [[Some(&b"SELECT 1"[..]), None, Some(b"")], [Some(&large), Some(b"DO 1"), None]] {
            let sessions: Vec<_> = (1..).zip(statements).map(|(id, statement)| session(id, statement)).collect();
            let mut doubtful = Doubtful::default();
            for session in &sessions {
                doubtful = doubtful.push(session.clone()).await.unwrap();
            }
            let mut read = doubtful.into_sessions().unwrap();
            for session in sessions {
                assert!(read.next().unwrap() == Some(session));
            }
            assert!(read.next().unwrap().is_none());
        }
    }
}
