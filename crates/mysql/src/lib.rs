//! clew-mysql
