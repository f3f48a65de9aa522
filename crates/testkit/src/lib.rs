//! clew-testkit
