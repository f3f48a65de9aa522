//! How much of the head of a request is read.

/// Longest head of a request in bytes: the request line, which may be 32 KiB long and a little, and twice that for headers.
pub(super) const HEAD_LIMIT: usize = 96 << 10;
/// Most headers of a request. It is what the library has if nothing is said, which is cheaper than the same number said.
pub(super) const HEADERS_LIMIT: usize = 100;
