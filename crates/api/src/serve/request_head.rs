//! Limits on the request head.

/// Maximum size of a request head, in bytes: 32 KiB for the request line and 64 KiB for the headers.
pub(super) const MAX_REQUEST_HEAD_BYTES: usize = 96 << 10;
/// Maximum number of headers in a request: hyper's default, which is not set explicitly.
/// If a maximum header count were set explicitly, hyper would allocate heap memory for each request's headers.
pub(super) const MAX_REQUEST_HEADERS: usize = 100;
