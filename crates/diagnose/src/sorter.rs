//! Sorting rows that need not fit into memory: encoded rows rest in a spool, only their ranks and places are sorted.

use std::io::{self, Read, Seek, SeekFrom, Write};

use crate::order::Rank;

/// Where encoded rows rest until their order is known.
pub trait Spool: Read + Write + Seek + Send {}

impl<T: Read + Write + Seek + Send> Spool for T {}

/// Rows are written to the spool, and those that stand together are read from it, about so many bytes at a time.
const TOGETHER: usize = 64 << 10;

/// Takes rows in any order.
#[derive(Debug)]
pub struct RowSorter<S: Spool> {
    spool: io::BufWriter<S>,
    end: u64,
    places: Vec<Place>,
}

/// A row's rank and place: the parts of the rank lie side by side, which takes a fifth less.
#[derive(Debug, Clone, Copy)]
struct Place {
    key: u64,
    session_id: u64,
    offset: u64,
    length: u32,
    is_empty: bool,
}

impl Place {
    fn new(rank: Rank, offset: u64, length: u32) -> Self {
        let Rank { is_empty, key, session_id } = rank;
        Self { key, session_id, offset, length, is_empty }
    }

    fn rank(&self) -> Rank {
        Rank { is_empty: self.is_empty, key: self.key, session_id: self.session_id }
    }

    fn end(&self) -> u64 {
        self.offset + u64::from(self.length)
    }

    /// Whether one read gets both: `next` follows in the spool, and begins in the same part of it.
    fn is_read_with(&self, next: &Self) -> bool {
        let part = |place: &Self| place.offset / TOGETHER as u64;
        self.end() == next.offset && part(self) == part(next)
    }
}

impl<S: Spool> RowSorter<S> {
    /// Rows will rest in `spool`, which starts empty.
    pub fn new(spool: S) -> Self {
        Self { spool: io::BufWriter::with_capacity(TOGETHER, spool), end: 0, places: Vec::new() }
    }

    /// Adds an encoded row. Fails where the spool does, and on a row of 4 GiB.
    pub fn push(&mut self, rank: Rank, encoded: &[u8]) -> io::Result<()> {
        let length = u32::try_from(encoded.len()).map_err(|_| io::Error::other("a row has 4 GiB or more"))?;
        self.spool.write_all(encoded)?;
        self.places.push(Place::new(rank, self.end, length));
        self.end += u64::from(length);
        Ok(())
    }

    /// Bytes of all rows so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.end
    }

    /// Sorts. Fails where the spool does.
    pub fn finish(self) -> io::Result<SortedRows<S>> {
        let Self { spool, end, mut places } = self;
        let spool = spool.into_inner().map_err(io::IntoInnerError::into_error)?;
        places.sort_unstable_by_key(Place::rank);
        Ok(SortedRows { spool, places, bytes: end })
    }
}

/// Rows in their order.
#[derive(Debug)]
pub struct SortedRows<S> {
    spool: S,
    places: Vec<Place>,
    bytes: u64,
}

impl<S: Spool> SortedRows<S> {
    /// How many rows.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.places.len() as u64
    }

    /// Bytes of all rows, as they were encoded.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Writes all rows in order, `separator` between two of them. Fails where the spool or `out` does.
    pub fn write_to(&mut self, out: &mut dyn Write, separator: &[u8]) -> io::Result<()> {
        self.write_part(0, self.places.len(), out, separator)
    }

    /// The same of at most `limit` rows, after the first `offset`.
    pub fn write_part(&mut self, offset: usize, limit: usize, out: &mut dyn Write, separator: &[u8]) -> io::Result<()> {
        if !separator.is_empty() {
            return self.write_finished(offset, limit, out, separator, |_, _| {});
        }
        self.read_together(offset, limit, |_, rows| out.write_all(rows))
    }

    /// The same; `finish` is handed the session id of each row and what was encoded of it, to add the rest.
    pub fn write_finished(
        &mut self,
        offset: usize,
        limit: usize,
        out: &mut dyn Write,
        separator: &[u8],
        finish: impl Fn(u64, &mut Vec<u8>),
    ) -> io::Result<()> {
        let mut row = Vec::new();
        let mut is_first = true;
        self.read_together(offset, limit, |places, mut rest| {
            for place in places {
                let Some((encoded, others)) = rest.split_at_checked(place.length as usize) else { break };
                rest = others;
                if !is_first {
                    out.write_all(separator)?;
                }
                is_first = false;
                row.clear();
                row.extend_from_slice(encoded);
                finish(place.session_id, &mut row);
                out.write_all(&row)?;
            }
            Ok(())
        })
    }

    /// Hands out what stands together in the spool, and which rows it is: rows that came in their order cost a read for many of them.
    fn read_together(
        &mut self,
        offset: usize,
        limit: usize,
        mut take: impl FnMut(&[Place], &[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let places = self.places.get(offset..).unwrap_or_default();
        let places = places.get(..limit).unwrap_or(places);
        let mut run = Vec::new();
        let mut position = None;
        for together in places.chunk_by(Place::is_read_with) {
            let (Some(first), Some(last)) = (together.first(), together.last()) else { continue };
            if position != Some(first.offset) {
                self.spool.seek(SeekFrom::Start(first.offset))?;
            }
            position = Some(last.end());
            run.resize(usize::try_from(last.end() - first.offset).map_err(io::Error::other)?, 0);
            self.spool.read_exact(&mut run)?;
            take(together, &run)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use clew_model::{Selection, Session, SessionRow, SortDirection};
    use proptest::prelude::*;

    use super::*;
    use crate::order::Order;

    proptest! {
        #[test]
        fn rows_come_back_whole_and_in_order(
            ids in proptest::collection::hash_set(0_u64..5000, 0..300).prop_map(Vec::from_iter),
            came_sorted: bool,
            descending: bool,
            offset in 0_usize..400,
            limit in 0_usize..400,
        ) {
            let mut ids = ids;
            if came_sorted {
                ids.sort_unstable();
            }
            let sort_direction = if descending { SortDirection::Descending } else { SortDirection::Ascending };
            let selection = Selection { sort_direction, ..Selection::default() };
            let order = Order::new(&selection);
            let mut sorter = RowSorter::new(Cursor::new(Vec::new()));
            for &id in &ids {
                let session = Session { id, ..Session::default() };
                let text = format!("{id}{}", "x".repeat(usize::try_from(id % 900).unwrap()));
                sorter.push(order.rank(&SessionRow { session: &session, transaction: None }), text.as_bytes()).unwrap();
            }
            let mut rows = sorter.finish().unwrap();
            prop_assert_eq!(rows.rows(), ids.len() as u64);
            let mut out = Vec::new();
            rows.write_to(&mut out, b"\n").unwrap();
            let mut expected = ids;
            expected.sort_unstable_by(|left, right| if descending { right.cmp(left) } else { left.cmp(right) });
            let expected: Vec<_> =
                expected.iter().map(|id| format!("{id}{}", "x".repeat(usize::try_from(id % 900).unwrap()))).collect();
            prop_assert_eq!(String::from_utf8(out).unwrap(), expected.join("\n"));
            let mut part = Vec::new();
            rows.write_part(offset, limit, &mut part, b"\n").unwrap();
            let expected: Vec<_> = expected.into_iter().skip(offset).take(limit).collect();
            prop_assert_eq!(String::from_utf8(part).unwrap(), expected.join("\n"));
        }
    }

    #[test]
    fn a_spool_that_is_full_says_so() {
        let mut room = [0_u8; 10];
        let selection = Selection::default();
        let order = Order::new(&selection);
        let session = Session::default();
        let rank = order.rank(&SessionRow { session: &session, transaction: None });
        let mut sorter = RowSorter::new(Cursor::new(room.as_mut_slice()));
        sorter.push(rank, &[b'x'; 20]).unwrap();
        assert!(sorter.finish().is_err());
    }
}
