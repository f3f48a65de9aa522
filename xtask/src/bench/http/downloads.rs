//! Clients that take as little from the server's share of the machine as they can: a thread each, large reads, and no look at what
//! came but its length.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Barrier;
use std::time::{Duration, Instant};

use super::super::served::SignedGet;
use crate::error::XtaskError;

/// One run of a download row.
#[derive(Debug, Clone)]
pub(super) struct Download {
    pub(super) address: SocketAddr,
    pub(super) get: SignedGet,
    pub(super) clients: usize,
    /// How often each client downloads, over one connection.
    pub(super) times: usize,
    /// What each download must have.
    pub(super) bytes: u64,
}

/// Read at once.
const PIECE: usize = 256 * 1024;
/// Between two pieces.
const LIMIT: Duration = Duration::from_mins(1);

impl Download {
    /// MiB a second, all clients together.
    pub(super) async fn rate(&self) -> Result<f64, XtaskError> {
        let this = self.clone();
        let ran = tokio::task::spawn_blocking(move || this.run()).await;
        let took = ran.map_err(io::Error::other).and_then(|ran| ran).map_err(|cause| self.failed(cause))?;
        let mib = u32::try_from(self.bytes >> 10).map_or(f64::INFINITY, f64::from) / 1024.0;
        let downloads = u32::try_from(self.clients * self.times).map_or(f64::INFINITY, f64::from);
        Ok(mib * downloads / took.as_secs_f64())
    }

    fn failed(&self, cause: io::Error) -> XtaskError {
        XtaskError::Http { address: self.address, cause }
    }

    fn run(&self) -> io::Result<Duration> {
        let ready = Barrier::new(self.clients + 1);
        std::thread::scope(|scope| {
            let clients: Vec<_> = (0..self.clients).map(|_| scope.spawn(|| self.client(&ready))).collect();
            ready.wait();
            let start = Instant::now();
            for client in clients {
                client.join().map_err(|_| io::Error::other("a client panicked"))??;
            }
            Ok(start.elapsed())
        })
    }

    fn client(&self, ready: &Barrier) -> io::Result<()> {
        let connected = Connection::open(self.address);
        // Also without a connection: the others wait for this one.
        ready.wait();
        let mut connection = connected?;
        for _ in 0..self.times {
            let came = connection.get(&self.get, |_| {})?;
            if came != self.bytes {
                return Err(io::Error::other(format!("{came} of {} bytes came", self.bytes)));
            }
        }
        Ok(())
    }
}

/// The body of an answer.
pub(super) fn body(address: SocketAddr, get: &SignedGet) -> Result<String, XtaskError> {
    let mut body = Vec::new();
    Connection::open(address)
        .and_then(|mut connection| connection.get(get, |piece| body.extend_from_slice(piece)))
        .map_err(|cause| XtaskError::Http { address, cause })?;
    Ok(String::from_utf8_lossy(&body).into_owned())
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(LIMIT))?;
        Ok(Self { stream, buffer: vec![0; PIECE] })
    }

    /// Asks, and reads the whole body; its length.
    fn get(&mut self, get: &SignedGet, mut body: impl FnMut(&[u8])) -> io::Result<u64> {
        self.stream.write_all(get.head().as_bytes())?;
        let (length, first) = self.read_head()?;
        body(&first);
        let mut left = length.saturating_sub(first.len() as u64);
        while left > 0 {
            let wanted = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            let piece = self.buffer.get_mut(..wanted).unwrap_or_default();
            let read = self.stream.read(piece)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            body(piece.get(..read).unwrap_or_default());
            left -= read as u64;
        }
        Ok(length)
    }

    /// Length of the body, and what of it came with the head.
    fn read_head(&mut self) -> io::Result<(u64, Vec<u8>)> {
        const END: &[u8] = b"\r\n\r\n";
        let mut head = Vec::new();
        loop {
            let read = self.stream.read(&mut self.buffer)?;
            head.extend_from_slice(self.buffer.get(..read).unwrap_or_default());
            let end = head.windows(END.len()).position(|bytes| bytes == END);
            if let Some(end) = end {
                let body = head.split_off(end + END.len());
                return Ok((length(&String::from_utf8_lossy(&head))?, body));
            }
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// The length of the body that a head tells, if it is of a success.
fn length(head: &str) -> io::Result<u64> {
    let told = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    match told {
        Some(length) if head.starts_with("HTTP/1.1 200 ") => Ok(length),
        _ => Err(io::Error::other(format!("no success with a length but {head:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_success_has_a_length() {
        assert_eq!(length("HTTP/1.1 200 OK\r\nContent-length: 12\r\n\r\n").unwrap(), 12);
        assert!(length("HTTP/1.1 429 Too Many Requests\r\nContent-Length: 12\r\n\r\n").is_err());
        assert!(length("HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
