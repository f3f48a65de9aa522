//! Limits on the request head.

/// Maximum size of a request head, in bytes: 32 KiB for the request line and 64 KiB for the headers.
pub(super) const MAX_REQUEST_HEAD_BYTES: usize = 96 << 10;
/// The limit equals hyper's default, so it need not be set.
/// If the limit were set explicitly, hyper would allocate heap memory for the headers of each request.
pub(super) const MAX_REQUEST_HEADERS: usize = 100;
