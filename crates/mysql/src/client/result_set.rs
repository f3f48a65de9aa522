//! Reads a text result set row by row.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mysql_common::Row;
use mysql_common::Value;
use mysql_common::io::ParseBuf;
use mysql_common::packets::Column;
use mysql_common::row::new_row;

use super::ERROR_PACKET_HEADER;
use super::error::{Error, ServerError};
use super::packets::{Packet, PacketStream};

/// Maximum number of columns of a result set. MySQL has the same limit for the columns of a table.
const MAX_RESULT_SET_COLUMNS: u64 = 4096;
const MAX_COLUMN_DEFINITION_BYTES: usize = 8 << 10;
const SERVER_MORE_RESULTS_EXISTS: u16 = 0x0008;
/// First byte of an EOF packet. One EOF packet follows the column definitions, and one follows the rows.
const EOF_PACKET_HEADER: u8 = 0xfe;
/// Packets that start with 0xfe are EOF packets if they are shorter than this limit, and rows otherwise.
const MAX_EOF_PACKET_BYTES: usize = 9;
const LOCAL_INFILE_PACKET_HEADER: u8 = 0xfb;
const NULL_CELL_MARKER: u8 = 0xfb;

/// Rows of a statement's first result set. `columns` is empty if the statement returns no result set.
#[derive(Debug)]
pub(crate) struct ResultSetRows<'c> {
    packets: &'c mut PacketStream,
    in_flight: &'c AtomicBool,
    /// `columns` is empty if the statement returns no result set.
    pub(crate) columns: Arc<[Column]>,
    max_row: usize,
    /// Total size of the rows read so far, in bytes.
    pub(super) size: usize,
    ended: bool,
}

impl<'c> ResultSetRows<'c> {
    pub(super) async fn open_result_set(
        packets: &'c mut PacketStream,
        in_flight: &'c AtomicBool,
        max_row: usize,
    ) -> Result<Self, Error> {
        let mut rows = Self { packets, in_flight, columns: Arc::from([]), max_row, size: 0, ended: false };
        rows.read_result_set_header().await?;
        Ok(rows)
    }

    pub(crate) async fn next(&mut self) -> Result<Option<RowCells<'_>>, Error> {
        if self.ended {
            return Ok(None);
        }
        let Packet { payload, truncated } = self.read_packet_unless_error(self.max_row).await?;
        if payload.first() == Some(&EOF_PACKET_HEADER) && payload.len() < MAX_EOF_PACKET_BYTES && !truncated {
            let status = parse_eof_packet_status_flags(payload);
            if status & SERVER_MORE_RESULTS_EXISTS != 0 {
                self.discard_remaining_results().await?;
            }
            self.mark_finished();
            return Ok(None);
        }
        let Packet { payload, truncated } = self.packets.last_read_packet();
        self.size += payload.len();
        Ok(Some(RowCells { rest: payload, truncated }))
    }

    pub(super) async fn next_row(&mut self) -> Result<Option<Row>, Error> {
        let columns = self.columns.clone();
        let Some(mut cells) = self.next().await? else { return Ok(None) };
        let mut values = Vec::with_capacity(columns.len());
        for _ in 0..columns.len() {
            values.push(cells.next_cell()?.map_or(Value::NULL, |cell| Value::Bytes(cell.to_vec())));
        }
        if cells.truncated {
            return Err(Error::TooLarge { what: "bytes in one row", limit: self.max_row as u64 });
        }
        Ok(Some(new_row(values, columns)))
    }

    /// Reads a packet. For an error packet, marks the result set as finished and returns the error.
    async fn read_packet_unless_error(&mut self, limit: usize) -> Result<Packet<'_>, Error> {
        let payload = self.packets.read_packet(limit).await?.payload;
        if payload.first() == Some(&ERROR_PACKET_HEADER) {
            let error = ServerError::parse(payload);
            self.mark_finished();
            return Err(Error::Server(error));
        }
        Ok(self.packets.last_read_packet())
    }

    fn mark_finished(&mut self) {
        self.ended = true;
        self.in_flight.store(false, Ordering::Release);
    }

    async fn read_result_set_header(&mut self) -> Result<(), Error> {
        loop {
            let payload = self.read_packet_unless_error(MAX_COLUMN_DEFINITION_BYTES).await?.payload;
            match payload.first() {
                Some(0x00) => {
                    if parse_ok_packet_status_flags(payload)? & SERVER_MORE_RESULTS_EXISTS == 0 {
                        self.mark_finished();
                        return Ok(());
                    }
                }
                Some(&LOCAL_INFILE_PACKET_HEADER) => {
                    return Err(Error::Protocol("the server requests a local file"));
                }
                _ => {
                    let (count, _) = parse_length_encoded_integer(payload)?;
                    return self.read_column_definitions(count).await;
                }
            }
        }
    }

    async fn read_column_definitions(&mut self, count: u64) -> Result<(), Error> {
        if count > MAX_RESULT_SET_COLUMNS {
            return Err(Error::TooLarge { what: "columns in a result set", limit: MAX_RESULT_SET_COLUMNS });
        }
        let mut columns = Vec::new();
        for _ in 0..count {
            let Packet { payload, truncated } = self.packets.read_packet(MAX_COLUMN_DEFINITION_BYTES).await?;
            if truncated {
                return Err(Error::TooLarge {
                    what: "bytes in a column definition",
                    limit: MAX_COLUMN_DEFINITION_BYTES as u64,
                });
            }
            columns.push(ParseBuf(payload).parse::<Column>(())?);
        }
        match self.packets.read_packet(MAX_COLUMN_DEFINITION_BYTES).await?.payload {
            [EOF_PACKET_HEADER, rest @ ..] if rest.len() < MAX_EOF_PACKET_BYTES => {}
            _ => return Err(Error::Protocol("no EOF packet after the column definitions")),
        }
        self.columns = columns.into();
        Ok(())
    }

    /// If a stored procedure returns several result sets, Clew uses only the first one.
    async fn discard_remaining_results(&mut self) -> Result<(), Error> {
        let mut in_rows = false;
        loop {
            let Packet { payload, truncated } = self.read_packet_unless_error(MAX_COLUMN_DEFINITION_BYTES).await?;
            let status = match payload {
                [0x00, ..] if !in_rows => parse_ok_packet_status_flags(payload)?,
                [EOF_PACKET_HEADER, ..] if payload.len() < MAX_EOF_PACKET_BYTES && !truncated => {
                    // The first EOF packet ends the columns, the second the rows.
                    in_rows = !in_rows;
                    if in_rows {
                        continue;
                    }
                    parse_eof_packet_status_flags(payload)
                }
                _ => continue,
            };
            if status & SERVER_MORE_RESULTS_EXISTS == 0 {
                return Ok(());
            }
        }
    }
}

#[derive(Debug)]
pub(crate) struct RowCells<'a> {
    rest: &'a [u8],
    /// True if the row is truncated. The last received cell may be incomplete, and missing cells are returned as NULL.
    pub(crate) truncated: bool,
}

impl<'a> RowCells<'a> {
    /// Returns `None` for a NULL cell.
    pub(crate) fn next_cell(&mut self) -> Result<Option<&'a [u8]>, Error> {
        if self.rest.is_empty() && self.truncated {
            return Ok(None);
        }
        if let [NULL_CELL_MARKER, rest @ ..] = self.rest {
            self.rest = rest;
            return Ok(None);
        }
        let (length, rest) = match parse_length_encoded_integer(self.rest) {
            // The row was truncated in the middle of a cell's length.
            Err(_) if self.truncated => {
                self.rest = &[];
                return Ok(None);
            }
            parsed => parsed?,
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let Some((cell, rest)) = rest.split_at_checked(length) else {
            if !self.truncated {
                return Err(Error::Protocol("cell exceeds its row"));
            }
            self.rest = &[];
            return Ok(Some(rest));
        };
        self.rest = rest;
        Ok(Some(cell))
    }
}

/// Parses a length-encoded integer. Returns the integer and the remaining bytes.
fn parse_length_encoded_integer(bytes: &[u8]) -> Result<(u64, &[u8]), Error> {
    let (first, rest) = bytes.split_first().ok_or(Error::Protocol("empty packet"))?;
    let size = match first {
        0xfc => 2,
        0xfd => 3,
        0xfe => 8,
        0xfb | 0xff => return Err(Error::Protocol("malformed length")),
        small => return Ok((u64::from(*small), rest)),
    };
    let (number, rest) = rest.split_at_checked(size).ok_or(Error::Protocol("truncated length"))?;
    let value = number.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte));
    Ok((value, rest))
}

/// Parses the status flags of an OK packet. The flags follow the affected row count and the last insert id.
fn parse_ok_packet_status_flags(payload: &[u8]) -> Result<u16, Error> {
    let (_, rest) = parse_length_encoded_integer(payload.get(1..).unwrap_or_default())?;
    let (_, rest) = parse_length_encoded_integer(rest)?;
    match rest {
        [low, high, ..] => Ok(u16::from_le_bytes([*low, *high])),
        _ => Err(Error::Protocol("truncated OK packet")),
    }
}

/// Returns the status flags of an EOF packet, which follow the two-byte warning count.
fn parse_eof_packet_status_flags(payload: &[u8]) -> u16 {
    match payload {
        [_, _, _, low, high, ..] => u16::from_le_bytes([*low, *high]),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(payload: &[u8], truncated: bool) -> RowCells<'_> {
        RowCells { rest: payload, truncated }
    }

    #[test]
    fn cells_of_a_row_are_text_or_null() {
        let mut cells = row(b"\x01a\xfb\x00\xfc\x03\x00xyz", false);
        let read: Vec<_> = (0..4).map(|_| cells.next_cell().unwrap().map(<[u8]>::to_vec)).collect();
        assert_eq!(read, [Some(b"a".to_vec()), None, Some(Vec::new()), Some(b"xyz".to_vec())]);
        assert!(cells.next_cell().is_err(), "a row that ends too early is an error");
    }

    #[test]
    fn truncated_row_ends_with_a_truncated_cell() {
        let mut cells = row(b"\x01a\x05xy", true);
        assert_eq!(cells.next_cell().unwrap(), Some(b"a".as_slice()));
        assert_eq!(cells.next_cell().unwrap(), Some(b"xy".as_slice()));
        assert_eq!(cells.next_cell().unwrap(), None);
        assert!(row(b"\x05xy", false).next_cell().is_err());
    }

    #[test]
    fn malformed_lengths_are_errors() {
        for bytes in [&b""[..], b"\xfc\x01", b"\xfe\x01\x02", b"\xff"] {
            assert!(parse_length_encoded_integer(bytes).is_err(), "{bytes:?}");
        }
        assert_eq!(parse_length_encoded_integer(b"\xfd\x01\x02\x03!").unwrap(), (0x0003_0201, &b"!"[..]));
    }
}
