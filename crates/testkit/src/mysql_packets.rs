//! Reads and writes MySQL packets, which consist of a three-byte length, a sequence number and a payload.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The protocol splits larger payloads into several packets. [`write_packet`] rejects them.
pub(crate) const MAX_PAYLOAD_BYTES: usize = 0x00ff_ffff;
pub(crate) const CLIENT_SSL: u32 = 0x0800;

pub(crate) async fn read_packet(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    let [a, b, c, sequence] = head;
    let mut payload = vec![0; u32::from_le_bytes([a, b, c, 0]) as usize];
    stream.read_exact(&mut payload).await?;
    Ok((sequence, payload))
}

pub(crate) async fn write_packet_header(
    stream: &mut (impl AsyncWrite + Unpin),
    sequence: u8,
    length: usize,
) -> io::Result<()> {
    let length = u32::try_from(length).ok().filter(|length| *length as usize <= MAX_PAYLOAD_BYTES);
    let [a, b, c, _] = length.ok_or_else(|| io::Error::other("a packet of more than 16 MiB"))?.to_le_bytes();
    stream.write_all(&[a, b, c, sequence]).await
}

/// Does not flush the stream.
pub(crate) async fn write_packet(
    stream: &mut (impl AsyncWrite + Unpin),
    sequence: u8,
    payload: &[u8],
) -> io::Result<()> {
    write_packet_header(stream, sequence, payload.len()).await?;
    stream.write_all(payload).await
}

/// An SSL request ends before the user name, so its payload has 32 bytes.
pub(crate) fn is_ssl_request(payload: &[u8]) -> bool {
    payload.len() == 32 && payload.get(1).is_some_and(|byte| u32::from(*byte) << 8 & CLIENT_SSL != 0)
}

pub(crate) async fn wait_for_disconnect(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    let mut ignored = [0; 1024];
    while stream.read(&mut ignored).await? > 0 {}
    Ok(())
}
