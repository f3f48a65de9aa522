//! clew-iam
