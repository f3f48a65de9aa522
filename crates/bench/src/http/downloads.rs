//! Download clients with low CPU usage. Each client runs in its own thread and does not check the content.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Barrier;
use std::time::{Duration, Instant};

use clew_devtools::DevtoolsError;

use crate::server_harness::HttpGetRequest;

#[derive(Debug, Clone)]
pub(super) struct DownloadWorkload {
    pub(super) address: SocketAddr,
    pub(super) get: HttpGetRequest,
    pub(super) clients: usize,
    pub(super) downloads_per_client: usize,
    pub(super) expected_bytes: u64,
}

const READ_BUFFER_BYTES: usize = 256 * 1024;
const READ_TIMEOUT: Duration = Duration::from_mins(1);

impl DownloadWorkload {
    /// Returns the total throughput of all clients in MiB/s.
    pub(super) async fn measure_download_rate(&self) -> Result<f64, DevtoolsError> {
        let this = self.clone();
        let result = tokio::task::spawn_blocking(move || this.run_all_download_clients()).await;
        let elapsed =
            result.map_err(io::Error::other).flatten().map_err(DevtoolsError::operation_error("download a result"))?;
        let mib = u32::try_from(self.expected_bytes >> 10).map_or(f64::INFINITY, f64::from) / 1024.0;
        let downloads = u32::try_from(self.clients * self.downloads_per_client).map_or(f64::INFINITY, f64::from);
        Ok(mib * downloads / elapsed.as_secs_f64())
    }

    fn run_all_download_clients(&self) -> io::Result<Duration> {
        let ready = Barrier::new(self.clients + 1);
        std::thread::scope(|scope| {
            let clients: Vec<_> = (0..self.clients).map(|_| scope.spawn(|| self.run_download_client(&ready))).collect();
            ready.wait();
            let start = Instant::now();
            for client in clients {
                client.join().map_err(|_| io::Error::other("a client panicked"))??;
            }
            Ok(start.elapsed())
        })
    }

    fn run_download_client(&self, ready: &Barrier) -> io::Result<()> {
        let connected = HttpConnection::connect(self.address);
        // A client that failed to connect must also reach the barrier, because all other clients wait there.
        ready.wait();
        let mut connection = connected?;
        for _ in 0..self.downloads_per_client {
            let received = connection.send_get_request(&self.get, |_| {})?;
            if received != self.expected_bytes {
                return Err(io::Error::other(format!("received {received} of {} bytes", self.expected_bytes)));
            }
        }
        Ok(())
    }
}

pub(super) fn fetch_response_body(address: SocketAddr, get: &HttpGetRequest) -> Result<String, DevtoolsError> {
    let mut body = Vec::new();
    HttpConnection::connect(address)
        .and_then(|mut connection| connection.send_get_request(get, |chunk| body.extend_from_slice(chunk)))
        .map_err(DevtoolsError::operation_error("fetch a response"))?;
    Ok(String::from_utf8_lossy(&body).into_owned())
}

struct HttpConnection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl HttpConnection {
    fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(READ_TIMEOUT))?;
        Ok(Self { stream, buffer: vec![0; READ_BUFFER_BYTES] })
    }

    fn send_get_request(&mut self, get: &HttpGetRequest, mut body: impl FnMut(&[u8])) -> io::Result<u64> {
        self.stream.write_all(get.format_request_head().as_bytes())?;
        let (length, first) = self.read_response_head()?;
        body(&first);
        let mut remaining = length.saturating_sub(first.len() as u64);
        while remaining > 0 {
            let requested = usize::try_from(remaining).unwrap_or(READ_BUFFER_BYTES).min(READ_BUFFER_BYTES);
            let chunk = self.buffer.get_mut(..requested).unwrap_or_default();
            let read = self.stream.read(chunk)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            body(chunk.get(..read).unwrap_or_default());
            remaining -= read as u64;
        }
        Ok(length)
    }

    /// Returns the content length and the body bytes that arrived with the head.
    fn read_response_head(&mut self) -> io::Result<(u64, Vec<u8>)> {
        const RESPONSE_HEAD_TERMINATOR: &[u8] = b"\r\n\r\n";
        let mut head = Vec::new();
        loop {
            let read = self.stream.read(&mut self.buffer)?;
            head.extend_from_slice(self.buffer.get(..read).unwrap_or_default());
            let end = head.windows(RESPONSE_HEAD_TERMINATOR.len()).position(|bytes| bytes == RESPONSE_HEAD_TERMINATOR);
            if let Some(end) = end {
                let body = head.split_off(end + RESPONSE_HEAD_TERMINATOR.len());
                return Ok((parse_content_length(&String::from_utf8_lossy(&head))?, body));
            }
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

fn parse_content_length(head: &str) -> io::Result<u64> {
    let content_length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    match content_length {
        Some(length) if head.starts_with("HTTP/1.1 200 ") => Ok(length),
        _ => Err(io::Error::other(format!("expected status 200 with a content length, got {head:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_length_requires_a_successful_response() {
        assert_eq!(parse_content_length("HTTP/1.1 200 OK\r\nContent-length: 12\r\n\r\n").unwrap(), 12);
        assert!(parse_content_length("HTTP/1.1 429 Too Many Requests\r\nContent-Length: 12\r\n\r\n").is_err());
        assert!(parse_content_length("HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
