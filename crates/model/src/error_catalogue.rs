//! The error catalogue: every code that Clew answers with, once (spec section 5).
//!
//! A message id names an entry of the message files, in both languages; `message` is what the documentation prints.

/// One error of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorEntry {
    /// `error_code` of the body.
    pub code: &'static str,
    /// HTTP status.
    pub status: u16,
    /// Id of the message; it may take a variable `detail`.
    pub message_id: &'static str,
}

macro_rules! catalogue {
    ($($(#[$doc:meta])* $name:ident = $status:literal $code:literal $message:literal;)+) => {
        impl ErrorEntry {
            $($(#[$doc])* pub const $name: Self = Self { code: $code, status: $status, message_id: $message };)+
        }

        /// All of them, for documentation and tests.
        pub static ERRORS: &[ErrorEntry] = &[$(ErrorEntry::$name),+];
    };
}

catalogue! {
    /// An invalid body or query.
    INVALID_PARAMETER = 400 "DBS.280001" "invalid-parameter";
    /// An instance or node id of the wrong shape.
    INVALID_ID = 400 "DBS.280404" "invalid-id";
    /// A request id that no collection has.
    UNKNOWN_TASK = 400 "DBS.200543" "unknown-task";
    /// A result that is not there (yet): still running, or ended without one.
    NO_RESULT = 400 "DBS.200086" "no-result";
    /// Another domain's project, or none.
    FOREIGN_PROJECT = 403 "DBS.280015" "foreign-project";
    /// An instance that the project does not have.
    UNKNOWN_INSTANCE = 404 "DBS.200002" "unknown-instance";
    /// A node that the instance does not have.
    UNKNOWN_NODE = 404 "DBS.290013" "unknown-node";
    /// A project of the caller's own domain that is disabled.
    PROJECT_UNAVAILABLE = 403 "APIGW.0310" "project-unavailable";
    /// More tags than an instance can have.
    TAG_QUOTA = 400 "DBS.200087" "tag-quota";
    /// A tag's key that is there twice.
    TAG_KEY_REPEATED = 400 "DBS.280272" "tag-key-repeated";
    /// The queue of a node is full.
    QUEUE_FULL = 409 "DBS.200011" "queue-full";
    /// What the instance is not set to let happen.
    NOT_ALLOWED = 409 "DBS.280406" "not-allowed";
    /// Clew itself failed.
    INTERNAL = 500 "DBS.05000000" "internal";
    /// No such path, or not with this method.
    NO_SUCH_API = 404 "APIGW.0101" "no-such-api";
    /// A request that is not HTTP as the API wants it.
    BAD_REQUEST = 400 "APIGW.0201" "bad-request";
    /// A body over the limit.
    BODY_TOO_LARGE = 413 "APIGW.0201" "body-too-large";
    /// A path and query over the limit.
    URI_TOO_LONG = 414 "APIGW.0201" "uri-too-long";
    /// Headers over the limit. The spec (section 5.3) has 494, a number of nginx's that no client library knows; 431 is the registered one
    /// for the same thing (RFC 6585).
    HEADERS_TOO_LARGE = 431 "APIGW.0201" "headers-too-large";
    /// A body that took too long to come.
    REQUEST_TIMEOUT = 408 "APIGW.0201" "request-timeout";
    /// A range that the result does not have.
    RANGE_NOT_SATISFIABLE = 416 "APIGW.0201" "range-not-satisfiable";
    /// Credentials that are missing or wrong.
    NOT_AUTHENTICATED = 401 "APIGW.0301" "not-authenticated";
    /// A request that a browser signed in by itself, and that Clew's own page did not make.
    NOT_FROM_THE_PAGE = 403 "APIGW.0301" "not-from-the-page";
    /// A request for a host that the server does not answer for (RFC 9110, section 15.5.20).
    HOST_NOT_ALLOWED = 421 "APIGW.0201" "host-not-allowed";
    /// A token that has ended.
    TOKEN_EXPIRED = 401 "APIGW.0307" "token-expired";
    /// Somebody asks too often.
    TOO_MANY_REQUESTS = 429 "APIGW.0308" "too-many-requests";
    /// Clew is stopping or too busy to take this.
    UNAVAILABLE = 503 "APIGW.0201" "unavailable";
    /// A token request whose body is not what it must be.
    IAM_INVALID_BODY = 400 "IAM.0011" "iam-invalid-body";
    /// A field of a token request that must be there.
    IAM_MISSING_FIELD = 400 "IAM.0072" "iam-missing-field";
    /// User name or password is wrong. Which of them is never said.
    IAM_WRONG_PASSWORD = 401 "IAM.0001" "iam-wrong-password";
    /// A scope that the user may not have.
    IAM_FORBIDDEN_SCOPE = 403 "IAM.0002" "iam-forbidden-scope";
    /// Too many wrong passwords in a row, for a name that may exist or not.
    IAM_LOCKED = 401 "IAM.0061" "iam-locked";
    /// A token in a body that has ended.
    IAM_TOKEN_EXPIRED = 401 "IAM.0066" "iam-token-expired";
    /// A token in a body that is none, or no longer one, or another user's.
    IAM_INVALID_TOKEN = 401 "IAM.0067" "iam-invalid-token";
    /// Nothing allows it, or a policy denies it.
    IAM_POLICY = 403 "IAM.0003" "iam-policy";
    /// An identity, a policy or a token that is not there, or is another domain's.
    IAM_UNKNOWN = 404 "IAM.0004" "iam-unknown";
    /// A name that is taken, or a change that something else stands against.
    IAM_CONFLICT = 409 "IAM.0005" "iam-conflict";
    /// No `X-Subject-Token` where one must be.
    IAM_SUBJECT_TOKEN = 400 "IAM.0009" "iam-subject-token";
    /// An invalid field of a body.
    IAM_INVALID_FIELD = 400 "IAM.0073" "iam-invalid-field";
    /// A parameter of an identity list.
    IAM_INVALID_PARAMETER = 400 "IAM.0007" "iam-invalid-parameter";
    /// Clew itself failed while asked about identities.
    IAM_INTERNAL = 500 "IAM.0006" "iam-internal";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_and_status_stand_for_one_message() {
        for (at, one) in ERRORS.iter().enumerate() {
            for other in &ERRORS[..at] {
                assert!((one.code, one.status) != (other.code, other.status), "{one:?} {other:?}");
            }
        }
    }
}
