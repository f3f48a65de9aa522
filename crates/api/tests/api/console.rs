//! What the web page works with.

mod cure;
mod events;
mod masked;
mod session;
mod stream;
mod stream_limits;
