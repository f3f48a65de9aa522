//! Types for reading byte ranges of result objects.

use std::io;
use std::ops::Range;

use bytes::Bytes;
use futures_util::stream::BoxStream;

/// Stream of chunks of an object.
pub(super) type ObjectChunks = BoxStream<'static, io::Result<Bytes>>;

/// Byte range of an object, with an exclusive end.
pub(super) type ByteRange = Range<u64>;
