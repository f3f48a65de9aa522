//! Reads and writes MySQL protocol packets, and limits the number of bytes received.

use std::fmt;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::error::Error;

/// Maximum payload size of a packet chunk, in bytes. Longer payloads are split into several chunks.
const MAX_CHUNK_PAYLOAD_BYTES: usize = (1 << 24) - 1;
/// A chunk header consists of a 3-byte payload length and a 1-byte sequence number.
const CHUNK_HEADER_LEN: usize = 4;
const MIN_FREE_READ_BUFFER_BYTES: usize = 64 << 10;
const MAX_REUSED_BUFFER_BYTES: usize = 1 << 20;

pub(super) trait ByteStream: AsyncRead + AsyncWrite + fmt::Debug + Unpin + Send + Sync {}

impl<S: AsyncRead + AsyncWrite + fmt::Debug + Unpin + Send + Sync> ByteStream for S {}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Packet<'a> {
    pub(super) payload: &'a [u8],
    /// True if the packet exceeded the size limit and the client discarded the excess bytes.
    pub(super) truncated: bool,
}

#[derive(Debug)]
pub(super) struct PacketStream {
    stream: Box<dyn ByteStream>,
    buffer: BytesMut,
    /// Number of bytes in `buffer` that the last packet and its header occupy; 0 if `assembled` contains the payload.
    consumed: usize,
    /// Payload of the last packet if the packet consisted of several chunks or was truncated.
    assembled: Vec<u8>,
    truncated: bool,
    sequence: u8,
    received: u64,
    max_received: u64,
}

impl PacketStream {
    pub(super) fn new(stream: Box<dyn ByteStream>, max_received: u64) -> Self {
        Self {
            stream,
            buffer: BytesMut::new(),
            consumed: 0,
            assembled: Vec::new(),
            truncated: false,
            sequence: 0,
            received: 0,
            max_received,
        }
    }

    /// Discards buffered bytes, because bytes received before the TLS handshake are not authenticated.
    pub(super) fn into_parts(self) -> (Box<dyn ByteStream>, u8) {
        (self.stream, self.sequence)
    }

    pub(super) fn with_sequence_number(mut self, sequence: u8) -> Self {
        self.sequence = sequence;
        self
    }

    /// Returns at least `wanted` bytes without consuming them, or fewer bytes if the server closes the connection.
    pub(super) async fn peek_bytes(&mut self, wanted: usize) -> Result<&[u8], Error> {
        while self.buffer.len() < wanted {
            if self.read_into_buffer().await? == 0 {
                break;
            }
        }
        Ok(&self.buffer)
    }

    /// Reads a packet, truncates it to `limit` bytes and discards the excess bytes without buffering them.
    pub(super) async fn read_packet(&mut self, limit: usize) -> Result<Packet<'_>, Error> {
        self.buffer.advance(self.consumed);
        self.consumed = 0;
        let length = self.read_chunk_payload_len().await?;
        if length < MAX_CHUNK_PAYLOAD_BYTES && length <= limit {
            while self.buffer.len() < CHUNK_HEADER_LEN + length {
                self.read_more_bytes().await?;
            }
            self.consumed = CHUNK_HEADER_LEN + length;
            self.truncated = false;
        } else {
            self.truncated = self.assemble_packet(length, limit).await?;
        }
        Ok(self.last_read_packet())
    }

    pub(super) fn last_read_packet(&self) -> Packet<'_> {
        let buffered = self.buffer.get(CHUNK_HEADER_LEN..self.consumed);
        Packet { payload: buffered.unwrap_or(&self.assembled), truncated: self.truncated }
    }

    /// Assembles a packet from its chunks. Returns true if the packet was truncated to `limit` bytes.
    async fn assemble_packet(&mut self, first: usize, limit: usize) -> Result<bool, Error> {
        if self.assembled.capacity() > MAX_REUSED_BUFFER_BYTES {
            self.assembled = Vec::new();
        }
        self.assembled.clear();
        let (mut length, mut truncated) = (first, false);
        loop {
            self.buffer.advance(CHUNK_HEADER_LEN);
            let mut left = length;
            while left > 0 {
                if self.buffer.is_empty() {
                    self.read_more_bytes().await?;
                }
                let part = left.min(self.buffer.len());
                let room = part.min(limit.saturating_sub(self.assembled.len()));
                self.assembled.extend_from_slice(self.buffer.get(..room).unwrap_or_default());
                truncated |= room < part;
                self.buffer.advance(part);
                left -= part;
            }
            if length < MAX_CHUNK_PAYLOAD_BYTES {
                return Ok(truncated);
            }
            length = self.read_chunk_payload_len().await?;
        }
    }

    async fn read_chunk_payload_len(&mut self) -> Result<usize, Error> {
        loop {
            if let [a, b, c, sequence, ..] = *self.buffer {
                if sequence != self.sequence {
                    return Err(Error::Protocol("packets out of order"));
                }
                self.sequence = self.sequence.wrapping_add(1);
                return Ok(u32::from_le_bytes([a, b, c, 0]) as usize);
            }
            self.read_more_bytes().await?;
        }
    }

    async fn read_more_bytes(&mut self) -> Result<(), Error> {
        if self.read_into_buffer().await? == 0 { Err(Error::connection_closed_error()) } else { Ok(()) }
    }

    async fn read_into_buffer(&mut self) -> Result<usize, Error> {
        self.buffer.reserve(MIN_FREE_READ_BUFFER_BYTES);
        let read = self.stream.read_buf(&mut self.buffer).await?;
        self.received = self.received.saturating_add(read as u64);
        if self.received > self.max_received {
            return Err(Error::TooLarge { what: "bytes in one read", limit: self.max_received });
        }
        Ok(read)
    }

    /// In the MySQL protocol, the first packet of a command has the sequence number 0.
    pub(super) async fn write_command(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.sequence = 0;
        self.write_packet(payload).await
    }

    pub(super) async fn write_packet(&mut self, payload: &[u8]) -> Result<(), Error> {
        let length = u32::try_from(payload.len()).ok().filter(|&length| (length as usize) < MAX_CHUNK_PAYLOAD_BYTES);
        let length = length.ok_or(Error::Protocol("the statement is longer than 16 MiB"))?;
        let [a, b, c, _] = length.to_le_bytes();
        let mut packet = Vec::with_capacity(CHUNK_HEADER_LEN + payload.len());
        packet.extend_from_slice(&[a, b, c, self.sequence]);
        packet.extend_from_slice(payload);
        self.sequence = self.sequence.wrapping_add(1);
        self.stream.write_all(&packet).await?;
        self.stream.flush().await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    fn packets(bytes: Vec<u8>, max_received: u64) -> PacketStream {
        let (client, mut server) = duplex(1 << 16);
        tokio::spawn(async move { server.write_all(&bytes).await });
        PacketStream::new(Box::new(client), max_received)
    }

    fn chunk(sequence: u8, payload: &[u8]) -> Vec<u8> {
        let [a, b, c, _] = u32::try_from(payload.len()).unwrap().to_le_bytes();
        [&[a, b, c, sequence], payload].concat()
    }

    #[tokio::test]
    async fn packet_of_several_chunks_is_reassembled_and_truncated_at_the_limit() {
        let sent =
            [chunk(0, b"first"), chunk(1, &vec![b'x'; MAX_CHUNK_PAYLOAD_BYTES]), chunk(2, b"yz"), chunk(3, b"last")]
                .concat();
        for (limit, length, truncated) in [(usize::MAX, MAX_CHUNK_PAYLOAD_BYTES + 2, false), (100, 100, true)] {
            let mut stream = packets(sent.clone(), u64::MAX);
            assert_eq!(stream.read_packet(limit).await.unwrap().payload, b"first");
            let packet = stream.read_packet(limit).await.unwrap();
            assert_eq!((packet.payload.len(), packet.truncated), (length, truncated));
            assert_eq!(stream.read_packet(limit).await.unwrap().payload, b"last");
            // A vector doubles its capacity.
            assert!(stream.assembled.capacity() <= 2 * length.max(MIN_FREE_READ_BUFFER_BYTES));
        }
    }

    #[tokio::test]
    async fn memory_of_a_truncated_packet_is_bounded_by_the_limit() {
        let mut stream = packets([chunk(0, &vec![b'x'; 8 << 20]), chunk(1, b"end")].concat(), u64::MAX);
        assert!(stream.read_packet(1 << 10).await.unwrap().truncated);
        assert!(stream.assembled.capacity() <= 2 << 10 && stream.buffer.capacity() <= 4 * MIN_FREE_READ_BUFFER_BYTES);
        assert_eq!(stream.read_packet(1 << 10).await.unwrap().payload, b"end");
    }

    #[tokio::test]
    async fn stream_beyond_the_byte_limit_is_refused() {
        let mut stream = packets(chunk(0, &[0; 2000]), 1000);
        assert!(matches!(stream.read_packet(usize::MAX).await, Err(Error::TooLarge { limit: 1000, .. })));
    }

    #[tokio::test]
    async fn packets_out_of_order_are_refused() {
        let mut stream = packets(chunk(3, b"x"), u64::MAX);
        assert!(matches!(stream.read_packet(10).await, Err(Error::Protocol(_))));
    }
}
