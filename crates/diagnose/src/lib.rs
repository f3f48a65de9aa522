//! clew-diagnose
