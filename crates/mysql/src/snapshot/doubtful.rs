//! Sessions whose seconds are checked once all rows were read. Until then their texts are in a temporary file if they are large.

use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::vec;

use clew_model::Session;
use tempfile::SpooledTempFile;

/// Bytes of texts that stay in memory.
const TEXTS_IN_MEMORY: usize = 1 << 20;
/// Length of a text that is NULL.
const NULL: u64 = u64::MAX;

/// Sessions without their texts, in the order in which they came, and the texts.
#[derive(Debug)]
pub(super) struct Doubtful {
    /// Of the texts only the command is here, which the check needs.
    pub(super) sessions: Vec<Session>,
    texts: BufWriter<SpooledTempFile>,
}

impl Default for Doubtful {
    fn default() -> Self {
        Self { sessions: Vec::new(), texts: BufWriter::new(SpooledTempFile::new(TEXTS_IN_MEMORY)) }
    }
}

impl Doubtful {
    pub(super) fn push(&mut self, session: Session) -> io::Result<()> {
        let Session { id, user, host, database, command, seconds, state, statement } = session;
        for text in [Some(user), Some(host), database, state, statement] {
            let length = text.as_ref().map_or(NULL, |text| text.len() as u64);
            self.texts.write_all(&length.to_ne_bytes())?;
            self.texts.write_all(&text.unwrap_or_default())?;
        }
        self.sessions.push(Session { id, command, seconds, ..Session::default() });
        Ok(())
    }

    /// The sessions with their texts, one at a time.
    pub(super) fn with_texts(self) -> io::Result<WithTexts> {
        let mut texts = self.texts.into_inner().map_err(io::IntoInnerError::into_error)?;
        texts.seek(SeekFrom::Start(0))?;
        Ok(WithTexts { sessions: self.sessions.into_iter(), texts: BufReader::new(texts) })
    }
}

/// Sessions that get their texts back.
#[derive(Debug)]
pub(super) struct WithTexts {
    sessions: vec::IntoIter<Session>,
    texts: BufReader<SpooledTempFile>,
}

impl WithTexts {
    /// The next session; nothing after the last.
    pub(super) fn next(&mut self) -> io::Result<Option<Session>> {
        let Some(session) = self.sessions.next() else { return Ok(None) };
        Ok(Some(Session {
            user: self.text()?.unwrap_or_default(),
            host: self.text()?.unwrap_or_default(),
            database: self.text()?,
            state: self.text()?,
            statement: self.text()?,
            ..session
        }))
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

    #[test]
    fn texts_come_back_from_memory_and_from_a_file() {
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
        let large = vec![b'x'; TEXTS_IN_MEMORY];
        for statements in [[Some(&b"SELECT 1"[..]), None, Some(b"")], [Some(&large), Some(b"DO 1"), None]] {
            let sessions: Vec<_> = (1..).zip(statements).map(|(id, statement)| session(id, statement)).collect();
            let mut doubtful = Doubtful::default();
            for session in &sessions {
                doubtful.push(session.clone()).unwrap();
            }
            let mut with_texts = doubtful.with_texts().unwrap();
            for session in sessions {
                assert!(with_texts.next().unwrap() == Some(session));
            }
            assert!(with_texts.next().unwrap().is_none());
        }
    }
}
