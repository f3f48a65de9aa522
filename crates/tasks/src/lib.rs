//! clew-tasks
