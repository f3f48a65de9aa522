//! Catalog of all API error codes (TaurusDB API spec, section 5).
//!
//! Each message id refers to a localized message in the English and Chinese Fluent files.

/// Error of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiErrorDefinition {
    /// Value of the `error_code` field in the response body.
    pub code: &'static str,
    /// HTTP status.
    pub status: u16,
    /// Fluent id of the localized error message. The message may use the variable `detail`.
    pub message_id: &'static str,
}

macro_rules! catalog {
    ($($(#[$doc:meta])* $name:ident = $status:literal $code:literal $message:literal;)+) => {
        impl ApiErrorDefinition {
            $($(#[$doc])* pub const $name: Self = Self { code: $code, status: $status, message_id: $message };)+
        }

        /// All errors that the API returns, for use in documentation and tests.
        pub static API_ERRORS: &[ApiErrorDefinition] = &[$(ApiErrorDefinition::$name),+];
    };
}

catalog! {
    /// The request body or the query string is invalid.
    INVALID_PARAMETER = 400 "DBS.280001" "invalid-parameter";
    /// The format of an instance or node id is invalid.
    INVALID_ID = 400 "DBS.280404" "invalid-id";
    /// No collection task with the given request id exists.
    UNKNOWN_TASK = 400 "DBS.200543" "unknown-task";
    /// The collection task has no result, because the task is not finished or has failed.
    NO_RESULT = 400 "DBS.200086" "no-result";
    /// The project does not exist or belongs to another domain.
    FOREIGN_PROJECT = 403 "DBS.280015" "foreign-project";
    /// No instance with the given id exists in the project.
    UNKNOWN_INSTANCE = 404 "DBS.200002" "unknown-instance";
    /// No node with the given id exists in the instance.
    UNKNOWN_NODE = 404 "DBS.290013" "unknown-node";
    /// The project belongs to the caller's domain but is disabled.
    PROJECT_UNAVAILABLE = 403 "APIGW.0310" "project-unavailable";
    /// The request would exceed the maximum number of tags per instance.
    TAG_QUOTA = 400 "DBS.200087" "tag-quota";
    /// The request contains duplicate tag keys.
    TAG_KEY_REPEATED = 400 "DBS.280272" "tag-key-repeated";
    /// The queue of a node is full.
    QUEUE_FULL = 409 "DBS.200011" "queue-full";
    /// The instance's settings do not allow the operation.
    NOT_ALLOWED = 409 "DBS.280406" "not-allowed";
    /// Internal server error.
    INTERNAL = 500 "DBS.05000000" "internal";
    /// No API operation with the requested path and HTTP method exists.
    NO_SUCH_API = 404 "APIGW.0101" "no-such-api";
    /// The HTTP request is malformed.
    BAD_REQUEST = 400 "APIGW.0201" "bad-request";
    /// The request body exceeds the size limit.
    BODY_TOO_LARGE = 413 "APIGW.0201" "body-too-large";
    /// The URL's path and query exceed the length limit.
    URI_TOO_LONG = 414 "APIGW.0201" "uri-too-long";
    /// The request body was not received before the timeout.
    REQUEST_TIMEOUT = 408 "APIGW.0201" "request-timeout";
    /// The byte range in the `Range` header is beyond the end of the result.
    RANGE_NOT_SATISFIABLE = 416 "APIGW.0201" "range-not-satisfiable";
    /// The credentials are missing or invalid.
    NOT_AUTHENTICATED = 401 "APIGW.0301" "not-authenticated";
    /// CSRF protection: the request has a session cookie but does not originate from Clew's web page.
    NOT_FROM_THE_PAGE = 403 "APIGW.0301" "not-from-the-page";
    /// Clew does not serve the requested host name (421 Misdirected Request; RFC 9110, section 15.5.20).
    HOST_NOT_ALLOWED = 421 "APIGW.0201" "host-not-allowed";
    /// The token has expired.
    TOKEN_EXPIRED = 401 "APIGW.0307" "token-expired";
    /// The caller exceeded the rate limit.
    TOO_MANY_REQUESTS = 429 "APIGW.0308" "too-many-requests";
    /// Clew is stopping or overloaded.
    UNAVAILABLE = 503 "APIGW.0201" "unavailable";
    /// The body of a token request is invalid.
    IAM_INVALID_BODY = 400 "IAM.0011" "iam-invalid-body";
    /// A required field of a token request is missing.
    IAM_MISSING_FIELD = 400 "IAM.0072" "iam-missing-field";
    /// Wrong user name or password. The response does not disclose which one is wrong.
    IAM_WRONG_PASSWORD = 401 "IAM.0001" "iam-wrong-password";
    /// The caller is not permitted to request the token scope or to perform the operation.
    IAM_FORBIDDEN_SCOPE = 403 "IAM.0002" "iam-forbidden-scope";
    /// Too many consecutive login attempts failed.
    /// Clew also locks out nonexistent user names, so that lockouts do not reveal which user names exist.
    IAM_LOCKED = 401 "IAM.0061" "iam-locked";
    /// The token in the request body has expired.
    IAM_TOKEN_EXPIRED = 401 "IAM.0066" "iam-token-expired";
    /// The token in the request body is invalid, revoked or owned by another user.
    IAM_INVALID_TOKEN = 401 "IAM.0067" "iam-invalid-token";
    /// No policy allows the operation, or a policy denies it.
    IAM_POLICY = 403 "IAM.0003" "iam-policy";
    /// The requested user, group, policy or token does not exist or belongs to another domain.
    IAM_UNKNOWN = 404 "IAM.0004" "iam-unknown";
    /// The name is already in use, or the change conflicts with existing data.
    IAM_CONFLICT = 409 "IAM.0005" "iam-conflict";
    /// The required `X-Subject-Token` header is missing.
    IAM_SUBJECT_TOKEN = 400 "IAM.0009" "iam-subject-token";
    /// A field of the request body is invalid.
    IAM_INVALID_FIELD = 400 "IAM.0073" "iam-invalid-field";
    /// A parameter of an IAM request is invalid.
    IAM_INVALID_PARAMETER = 400 "IAM.0007" "iam-invalid-parameter";
    /// An IAM request failed due to an internal error.
    IAM_INTERNAL = 500 "IAM.0006" "iam-internal";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_and_status_identify_one_error() {
        for (at, error) in API_ERRORS.iter().enumerate() {
            for other in &API_ERRORS[..at] {
                assert!((error.code, error.status) != (other.code, other.status), "{error:?} {other:?}");
            }
        }
    }
}
