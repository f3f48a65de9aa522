//! Password authentication for all sign-in routes.

use std::net::IpAddr;

use clew_model::ApiErrorDefinition;
use clew_store::User;
use secrecy::SecretString;

use crate::AppState;
use crate::audit::AuditContext;
use crate::error::ApiError;
use crate::iam::auth_attempts::{self, PasswordCheckOutcome};
use crate::iam::sign_in::UserRef;

/// Unknown users and wrong passwords result in the same error after the same time.
/// Repeated failed sign-ins lock a user name even if no user has this name.
pub(crate) async fn authenticate_by_password(
    service: &AppState,
    trail: &AuditContext,
    peer: Option<IpAddr>,
    user_ref: &UserRef,
    password: SecretString,
) -> Result<User, ApiError> {
    let user = match user_ref {
        UserRef::Id(id) => match id.parse() {
            Ok(id) => service.store.identities().find_user(&id).await?,
            Err(_) => None,
        },
        UserRef::Name { domain, user } => service.store.identities().find_user_by_name(domain, user).await?,
    };
    let name = match (&user, user_ref) {
        (Some(user), _) => format!("{}/{}", user.domain_name, user.name),
        (None, UserRef::Name { domain, user }) => format!("{domain}/{user}"),
        (None, UserRef::Id(id)) => id.clone(),
    };
    match (&user, user_ref) {
        (Some(user), _) => {
            trail.set_domain_id(&user.domain_id);
            trail.set_claimed_identity(&user.name);
            trail.set_target(&user.name);
        }
        // Unknown user names are not recorded because they may be passwords entered in the wrong field.
        (None, UserRef::Name { domain, .. }) => {
            let domains = service.store.tenants().list_domains().await?;
            domains
                .iter()
                .filter(|existing| existing.name == *domain)
                .for_each(|existing| trail.set_domain_id(&existing.id));
        }
        (None, UserRef::Id(_)) => {}
    }
    let check = auth_attempts::check_password_with_lockout(service, &name, user.as_ref(), peer, password).await?;
    match (check, user) {
        (PasswordCheckOutcome::Right, Some(user)) => {
            trail.set_actor(&user);
            Ok(user)
        }
        (PasswordCheckOutcome::Locked, _) => {
            Err(ApiError::with_detail(ApiErrorDefinition::IAM_LOCKED, "iam-locked-for", Vec::new()))
        }
        (PasswordCheckOutcome::Right | PasswordCheckOutcome::Wrong, _) => {
            Err(ApiError::new(ApiErrorDefinition::IAM_WRONG_PASSWORD))
        }
    }
}
