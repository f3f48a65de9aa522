//! What the web page works with.

mod cure;
mod events;
mod kill_cost;
mod masked;
mod session;
mod statement_text;
mod stream;
mod stream_limits;
