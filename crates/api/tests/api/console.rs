//! What the web page works with.

mod cure;
mod events;
mod kill_cost;
mod masked;
mod session;
mod stream;
