//! The worker on a real store, with a reader that does what each test tells it.

mod bench;
mod endings;
mod handing_back;
mod leases;
mod queue;
mod retaining;
mod scripted;
