//! Limits on the head of a request.

/// Maximum size of the head of a request, in bytes: 32 KiB for the request line and 64 KiB for the headers.
pub(super) const MAX_HEAD_BYTES: usize = 96 << 10;
/// Maximum number of headers of a request.
///
/// This number is hyper's default. With an explicit limit, hyper would allocate each request's headers on the heap.
pub(super) const MAX_HEADERS: usize = 100;
