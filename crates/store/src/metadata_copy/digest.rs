//! Order-independent hash of table rows.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::database::Parameter;
use crate::metadata_copy::CellValue;

/// Order-independent digest of a table: the sum of the row hashes, as four 64-bit integers.
#[derive(Debug, Default)]
pub(super) struct TableDigest {
    sum: [u64; 4],
    rows: u64,
}

impl TableDigest {
    /// Hashes the type and length before each value, so that different rows have different hash inputs.
    pub(super) fn add_row(&mut self, row: &[CellValue]) {
        let mut hash = Sha256::new();
        for value in row {
            let (kind, bytes) = match value {
                Parameter::Integer(value) => (b'w', value.map(|value| value.to_be_bytes().to_vec())),
                Parameter::Bool(value) => (b't', value.map(|value| vec![u8::from(value)])),
                Parameter::Text(text) => (b'x', text.as_ref().map(|text| text.as_bytes().to_vec())),
                Parameter::Bytes(bytes) => (b'b', bytes.as_ref().map(|bytes| bytes.to_vec())),
            };
            let length = bytes.as_ref().map_or(u64::MAX, |bytes| bytes.len() as u64);
            hash.update([kind]);
            hash.update(length.to_be_bytes());
            hash.update(bytes.unwrap_or_default());
        }
        let hash: [u8; 32] = hash.finalize().into();
        for (sum, part) in self.sum.iter_mut().zip(hash.as_chunks::<8>().0) {
            *sum = sum.wrapping_add(u64::from_be_bytes(*part));
        }
        self.rows += 1;
    }

    pub(super) fn row_count(&self) -> u64 {
        self.rows
    }
}

impl fmt::Display for TableDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sum.iter().try_for_each(|part| write!(f, "{part:016x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> CellValue {
        text.to_owned().into()
    }

    fn digest(rows: &[&[CellValue]]) -> String {
        let mut digest = TableDigest::default();
        for row in rows {
            digest.add_row(row);
        }
        digest.to_string()
    }

    #[test]
    fn digest_depends_on_content_but_not_on_order() {
        let (one, two): (&[CellValue], &[CellValue]) = (&[text("a"), 1_i64.into()], &[text("b"), 2_i64.into()]);
        assert_eq!(digest(&[one, two]), digest(&[two, one]));
        let none: Option<String> = None;
        let others: [&[CellValue]; 5] = [
            &[text("a"), 2_i64.into()],
            &[text("a"), text("1")],
            &[text(""), 1_i64.into()],
            &[none.into(), 1_i64.into()],
            &[text("a")],
        ];
        for other in others {
            assert_ne!(digest(&[one]), digest(&[other]));
        }
        assert_ne!(digest(&[one, one]), digest(&[one]));
        assert_ne!(digest(&[&[text("ab"), text("c")]]), digest(&[&[text("a"), text("bc")]]));
    }
}
