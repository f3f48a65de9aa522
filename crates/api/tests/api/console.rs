//! Tests of the web page's API.

mod actions;
mod events;
mod kill_effects;
mod masking;
mod session;
mod statement_text;
mod stream;
mod stream_limits;
