//! External sort: the rows are written to temporary storage, and only their sort keys and offsets stay in memory.

use std::io::{self, Read, Seek, SeekFrom, Write};

use crate::sort_order::SortRank;

/// Storage for rows during an external sort, such as a temporary file.
pub trait SpillStorage: Read + Write + Seek + Send {}

impl<T: Read + Write + Seek + Send> SpillStorage for T {}

/// Function that receives a session id and the session's encoded row, and appends bytes to the row.
type RowCompletion<'f> = dyn Fn(u64, &mut Vec<u8>) + 'f;

/// The sorter reads adjacent rows in one operation if they start in the same block.
const IO_BLOCK_BYTES: usize = 64 << 10;

/// Sorts rows that might not fit in memory.
#[derive(Debug)]
pub struct RowSorter<S: SpillStorage> {
    spill: io::BufWriter<S>,
    total_bytes: u64,
    locations: Vec<RowLocation>,
}

/// The fields of [`SortRank`] are inlined, which avoids 8 bytes of padding per row.
#[derive(Debug, Clone, Copy)]
struct RowLocation {
    key: u64,
    session_id: u64,
    offset: u64,
    length: u32,
    is_empty: bool,
}

impl RowLocation {
    fn end_offset(&self) -> u64 {
        self.offset + u64::from(self.length)
    }

    fn is_contiguous_with(&self, next: &Self) -> bool {
        let block_number = |location: &Self| location.offset / IO_BLOCK_BYTES as u64;
        self.end_offset() == next.offset && block_number(self) == block_number(next)
    }
}

impl<S: SpillStorage> RowSorter<S> {
    /// Creates a sorter that writes rows to the storage `spill`, which must be empty.
    pub fn new(spill: S) -> Self {
        Self { spill: io::BufWriter::with_capacity(IO_BLOCK_BYTES, spill), total_bytes: 0, locations: Vec::new() }
    }

    /// Adds an encoded row, which must be smaller than 4 GiB.
    pub fn push(&mut self, rank: SortRank, encoded: &[u8]) -> io::Result<()> {
        let length = u32::try_from(encoded.len()).map_err(|_| io::Error::other("a row has 4 GiB or more"))?;
        self.spill.write_all(encoded)?;
        let SortRank { is_empty, key, session_id } = rank;
        self.locations.push(RowLocation { key, session_id, offset: self.total_bytes, length, is_empty });
        self.total_bytes += u64::from(length);
        Ok(())
    }

    /// Returns the total size of the encoded rows added so far, in bytes.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    /// Sorts the added rows by rank.
    pub fn into_sorted_rows(self) -> io::Result<SortedRows<S>> {
        let Self { spill, mut locations, .. } = self;
        let spill = spill.into_inner().map_err(io::IntoInnerError::into_error)?;
        locations.sort_unstable_by_key(|&RowLocation { is_empty, key, session_id, .. }| SortRank {
            is_empty,
            key,
            session_id,
        });
        Ok(SortedRows { spill, locations })
    }
}

/// Output of a [`RowSorter`]: the stored rows and the order in which to read them.
#[derive(Debug)]
pub struct SortedRows<S> {
    spill: S,
    locations: Vec<RowLocation>,
}

impl<S: SpillStorage> SortedRows<S> {
    /// Returns the number of rows.
    #[must_use]
    pub fn row_count(&self) -> u64 {
        self.locations.len() as u64
    }

    /// Writes up to `limit` rows, starting at row `offset`, with `separator` between rows.
    /// Calls `finish` for each row before the row is written.
    pub fn write_row_range(
        &mut self,
        offset: usize,
        limit: usize,
        out: &mut dyn Write,
        separator: &[u8],
        finish: Option<&RowCompletion<'_>>,
    ) -> io::Result<()> {
        if separator.is_empty() && finish.is_none() {
            return self.for_each_row_block(offset, limit, |_, rows| out.write_all(rows));
        }
        let mut row = Vec::new();
        let mut is_first = true;
        self.for_each_row_block(offset, limit, |locations, mut rest| {
            for location in locations {
                let Some((encoded, others)) = rest.split_at_checked(location.length as usize) else { break };
                rest = others;
                if !is_first {
                    out.write_all(separator)?;
                }
                is_first = false;
                row.clear();
                row.extend_from_slice(encoded);
                if let Some(finish) = finish {
                    finish(location.session_id, &mut row);
                }
                out.write_all(&row)?;
            }
            Ok(())
        })
    }

    fn for_each_row_block(
        &mut self,
        offset: usize,
        limit: usize,
        mut consume: impl FnMut(&[RowLocation], &[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let locations = self.locations.get(offset..).unwrap_or_default();
        let locations = locations.get(..limit).unwrap_or(locations);
        let mut buffer = Vec::new();
        let mut position = None;
        for block in locations.chunk_by(RowLocation::is_contiguous_with) {
            let (Some(first), Some(last)) = (block.first(), block.last()) else { continue };
            if position != Some(first.offset) {
                self.spill.seek(SeekFrom::Start(first.offset))?;
            }
            position = Some(last.end_offset());
            buffer.resize(usize::try_from(last.end_offset() - first.offset).map_err(io::Error::other)?, 0);
            self.spill.read_exact(&mut buffer)?;
            consume(block, &buffer)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use clew_model::{Session, SessionRow, SessionSelection, SortDirection};
    use proptest::prelude::*;

    use super::*;
    use crate::sort_order::SortOrder;

    proptest! {
        #[test]
        fn rows_are_returned_complete_and_sorted(
            ids in proptest::collection::hash_set(0_u64..5000, 0..300).prop_map(Vec::from_iter),
            input_is_sorted: bool,
            descending: bool,
            offset in 0_usize..400,
            limit in 0_usize..400,
        ) {
            let mut ids = ids;
            if input_is_sorted {
                ids.sort_unstable();
            }
            let sort_direction = if descending { SortDirection::Descending } else { SortDirection::Ascending };
            let selection = SessionSelection { sort_direction, ..SessionSelection::default() };
            let order = SortOrder::new(&selection);
            let mut sorter = RowSorter::new(Cursor::new(Vec::new()));
            for &id in &ids {
                let session = Session { id, ..Session::default() };
                let text = format!("{id}{}", "x".repeat(usize::try_from(id % 900).unwrap()));
                sorter.push(order.compute_sort_rank(&SessionRow { session: &session, transaction: None }), text.as_bytes()).unwrap();
            }
            let mut rows = sorter.into_sorted_rows().unwrap();
            prop_assert_eq!(rows.row_count(), ids.len() as u64);
            let mut out = Vec::new();
            rows.write_row_range(0, usize::MAX, &mut out, b"\n", None).unwrap();
            let mut expected = ids;
            expected.sort_unstable_by(|left, right| if descending { right.cmp(left) } else { left.cmp(right) });
            let expected: Vec<_> =
                expected.iter().map(|id| format!("{id}{}", "x".repeat(usize::try_from(id % 900).unwrap()))).collect();
            prop_assert_eq!(String::from_utf8(out).unwrap(), expected.join("\n"));
            let mut part = Vec::new();
            rows.write_row_range(offset, limit, &mut part, b"\n", None).unwrap();
            let expected: Vec<_> = expected.into_iter().skip(offset).take(limit).collect();
            prop_assert_eq!(String::from_utf8(part).unwrap(), expected.join("\n"));
        }
    }

    #[test]
    fn full_spill_storage_returns_an_error() {
        let mut storage = [0_u8; 10];
        let selection = SessionSelection::default();
        let order = SortOrder::new(&selection);
        let session = Session::default();
        let rank = order.compute_sort_rank(&SessionRow { session: &session, transaction: None });
        let mut sorter = RowSorter::new(Cursor::new(storage.as_mut_slice()));
        sorter.push(rank, &[b'x'; 20]).unwrap();
        assert!(sorter.into_sorted_rows().is_err());
    }
}
