//! Types for reading byte ranges of S3 objects.

use std::io;
use std::ops::Range;

use bytes::Bytes;
use futures_util::stream::BoxStream;

pub(super) type ObjectChunks = BoxStream<'static, io::Result<Bytes>>;

pub(super) type ByteRange = Range<u64>;
