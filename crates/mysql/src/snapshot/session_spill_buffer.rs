//! Stores sessions in memory or in a temporary file until Clew has verified their elapsed times.

use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::vec;

use clew_model::Session;
use tempfile::SpooledTempFile;
use tokio::task::spawn_blocking;

use crate::elapsed_times::SessionElapsedTime;

const MAX_IN_MEMORY_SESSION_BYTES: usize = 64 << 10;
const NULL_TEXT_LENGTH: u64 = u64::MAX;

/// Sessions in arrival order.
/// Keeps elapsed times in memory. Moves text columns to a temporary file if they exceed 64 KiB in total.
#[derive(Debug)]
pub(super) struct SessionSpillBuffer {
    pub(super) ages: Vec<SessionElapsedTime>,
    texts: BufWriter<SpooledTempFile>,
}

impl Default for SessionSpillBuffer {
    fn default() -> Self {
        Self { ages: Vec::new(), texts: BufWriter::new(SpooledTempFile::new(MAX_IN_MEMORY_SESSION_BYTES)) }
    }
}

impl SessionSpillBuffer {
    /// Writes a session to the buffer. Uses a blocking thread if the statement is long.
    pub(super) async fn push(mut self, session: Session) -> io::Result<Self> {
        if session.statement.as_ref().is_none_or(|statement| statement.len() <= MAX_IN_MEMORY_SESSION_BYTES) {
            return self.write_session(&session).map(|()| self);
        }
        spawn_blocking(move || self.write_session(&session).map(|()| self)).await.map_err(io::Error::other)?
    }

    fn write_session(&mut self, session: &Session) -> io::Result<()> {
        self.ages.push(SessionElapsedTime::from_session(session));
        let Session { user, host, database, command, state, statement, .. } = session;
        let texts = [Some(user), Some(host), Some(command), database.as_ref(), state.as_ref(), statement.as_ref()];
        for text in texts {
            let length = text.map_or(NULL_TEXT_LENGTH, |text| text.len() as u64);
            self.texts.write_all(&length.to_ne_bytes())?;
            self.texts.write_all(text.map_or(&[], Vec::as_slice))?;
        }
        Ok(())
    }

    /// Returns a reader for the stored sessions. The reader sets each session's elapsed time to the value in `ages`.
    pub(super) fn into_reader(self) -> io::Result<SessionSpillReader> {
        let mut texts = self.texts.into_inner().map_err(io::IntoInnerError::into_error)?;
        texts.seek(SeekFrom::Start(0))?;
        Ok(SessionSpillReader { ages: self.ages.into_iter(), texts: BufReader::new(texts) })
    }
}

#[derive(Debug)]
pub(super) struct SessionSpillReader {
    ages: vec::IntoIter<SessionElapsedTime>,
    texts: BufReader<SpooledTempFile>,
}

impl SessionSpillReader {
    pub(super) fn next(&mut self) -> io::Result<Option<Session>> {
        let Some(SessionElapsedTime { id, seconds, .. }) = self.ages.next() else { return Ok(None) };
        // Reads the columns in the order in which `write_session` writes them.
        let (user, host, command) = (self.read_text_column()?, self.read_text_column()?, self.read_text_column()?);
        let (database, state, statement) =
            (self.read_text_column()?, self.read_text_column()?, self.read_text_column()?);
        let [user, host, command] = [user, host, command].map(Option::unwrap_or_default);
        Ok(Some(Session { id, user, host, database, command, seconds, state, statement }))
    }

    fn read_text_column(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut length = [0; 8];
        self.texts.read_exact(&mut length)?;
        let length = u64::from_ne_bytes(length);
        if length == NULL_TEXT_LENGTH {
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
    async fn sessions_are_restored_from_memory_and_from_a_file() {
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
        let large = vec![b'x'; MAX_IN_MEMORY_SESSION_BYTES + 1];
        for statements in [[Some(&b"SELECT 1"[..]), None, Some(b"")], [Some(&large), Some(b"DO 1"), None]] {
            let sessions: Vec<_> = (1..).zip(statements).map(|(id, statement)| session(id, statement)).collect();
            let mut deferred = SessionSpillBuffer::default();
            for session in &sessions {
                deferred = deferred.push(session.clone()).await.unwrap();
            }
            let mut read = deferred.into_reader().unwrap();
            for session in sessions {
                assert!(read.next().unwrap() == Some(session));
            }
            assert!(read.next().unwrap().is_none());
        }
    }
}
