//! clew-client
