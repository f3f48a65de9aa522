//! Issues tokens. The store contains only the hashes of the tokens.

use clew_iam::token;
use clew_store::{NewToken, Project, TokenOrigin, User};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use crate::AppState;
use crate::error::ApiError;

/// Times are Unix timestamps in seconds.
pub(crate) struct IssuedToken {
    pub(crate) secret: SecretString,
    pub(crate) methods: Vec<String>,
    pub(crate) issued_at: i64,
    pub(crate) expires_at: i64,
}

/// The token expires after the configured token lifetime or at `latest`, whichever is earlier.
pub(crate) async fn issue_token(
    service: &AppState,
    user: &User,
    project: Option<&Project>,
    origin: TokenOrigin,
    method: &str,
    latest: Option<i64>,
) -> Result<IssuedToken, ApiError> {
    let issued_at = Timestamp::now().as_second();
    let life =
        i64::try_from(service.settings.token_lifetime.as_secs()).map_err(|error| ApiError::internal_error(&error))?;
    let expires_at = issued_at.saturating_add(life).min(latest.unwrap_or(i64::MAX));
    let secret = token::generate_token().map_err(|error| ApiError::internal_error(&error))?;
    let methods = vec![method.to_owned()];
    service
        .store
        .identities()
        .insert_token(&NewToken {
            hash: token::hash_token(secret.expose_secret()),
            user_id: user.id.clone(),
            scope_project: project.map(|project| project.id.clone()),
            issued_by_methods: methods.clone(),
            issued_at,
            expires_at,
            origin,
        })
        .await?;
    remove_expired_tokens(service, issued_at).await;
    Ok(IssuedToken { secret, methods, issued_at, expires_at })
}

pub(crate) fn describe_token_scope(project: Option<&Project>) -> String {
    project.map_or_else(|| "domain".to_owned(), |project| format!("project {}", project.id))
}

/// Recently expired tokens are retained so that error messages can distinguish them from unknown tokens.
async fn remove_expired_tokens(service: &AppState, now: i64) {
    if let Err(error) = service.store.identities().remove_credentials_expired_before(now - 24 * 3600).await {
        tracing::warn!(%error, "cannot remove expired tokens");
    }
}
