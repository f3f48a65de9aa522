//! Password check of all sign-in routes.

use std::net::IpAddr;

use clew_model::ErrorEntry;
use clew_store::User;
use secrecy::SecretString;

use crate::Service;
use crate::audit::Trail;
use crate::iam::auth_attempts::{self, PasswordCheck};
use crate::iam::sign_in::Who;
use crate::refusal::Refusal;

/// Authenticates a user by password and records the user in the audit trail.
///
/// Duration and error are the same for a missing user and a wrong password. Repeated failures lock missing names too.
pub(crate) async fn check_password(
    service: &Service,
    trail: &Trail,
    peer: Option<IpAddr>,
    who: &Who,
    password: SecretString,
) -> Result<User, Refusal> {
    let user = match who {
        Who::Id(id) => match id.parse() {
            Ok(id) => service.store.user(&id).await?,
            Err(_) => None,
        },
        Who::Name { domain, user } => service.store.user_by_name(domain, user).await?,
    };
    let name = match (&user, who) {
        (Some(user), _) => format!("{}/{}", user.domain_name, user.name),
        (None, Who::Name { domain, user }) => format!("{domain}/{user}"),
        (None, Who::Id(id)) => id.clone(),
    };
    match (&user, who) {
        (Some(user), _) => {
            trail.is_about(&user.domain_id);
            trail.claims(&user.name);
            trail.target(&user.name);
        }
        // An unknown user name is not recorded: it may be a password typed into the wrong field.
        (None, Who::Name { domain, .. }) => {
            let domains = service.store.domains().await?;
            domains
                .iter()
                .filter(|existing| existing.name == *domain)
                .for_each(|existing| trail.is_about(&existing.id));
        }
        (None, Who::Id(_)) => {}
    }
    let check = auth_attempts::check_password(service, &name, user.as_ref(), peer, password).await?;
    match (check, user) {
        (PasswordCheck::Right, Some(user)) => {
            trail.is(&user);
            Ok(user)
        }
        (PasswordCheck::Locked, _) => Err(Refusal::because(ErrorEntry::IAM_LOCKED, "iam-locked-for", Vec::new())),
        (PasswordCheck::Right | PasswordCheck::Wrong, _) => Err(Refusal::new(ErrorEntry::IAM_WRONG_PASSWORD)),
    }
}
