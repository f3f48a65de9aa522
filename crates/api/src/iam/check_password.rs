//! Whether it is the user who says so: by a password, however they sign in.

use clew_model::ErrorEntry;
use clew_store::User;
use secrecy::SecretString;

use crate::audit::Trail;
use crate::iam::one_at_a_time;
use crate::iam::sign_in::Who;
use crate::refusal::Refusal;
use crate::{Service, passwords};

/// Takes as long for a user that is not there as for a wrong password, and says the same. So it does of a lock: names that nobody has
/// are locked too.
pub(crate) async fn check_password(
    service: &Service,
    trail: &Trail,
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
    let subject = match (&user, who) {
        (Some(user), _) => format!("user:{}/{}", user.domain_name, user.name),
        (None, Who::Name { domain, user }) => format!("user:{domain}/{user}"),
        (None, Who::Id(id)) => format!("user:{id}"),
    };
    match (&user, who) {
        (Some(user), _) => {
            trail.is_about(&user.domain_id);
            trail.claims(&user.name);
            trail.target(&user.name);
        }
        // A name that nobody has is not written down: people type passwords where a name belongs.
        (None, Who::Name { domain, .. }) => {
            let domains = service.store.domains().await?;
            domains.iter().filter(|known| known.name == *domain).for_each(|known| trail.is_about(&known.id));
        }
        (None, Who::Id(_)) => {}
    }
    let _turn = one_at_a_time::turn(&subject).await;
    if service.store.locked_until(&subject).await?.is_some() {
        return Err(Refusal::because(ErrorEntry::IAM_LOCKED, "iam-locked-for", Vec::new()));
    }
    let right = passwords::verify(password, user.as_ref().map(|user| user.password_hash.clone())).await?;
    let Some(user) = user.filter(|user| right && user.enabled) else {
        service.store.failed(&subject).await?;
        return Err(Refusal::new(ErrorEntry::IAM_WRONG_PASSWORD));
    };
    service.store.succeeded(&subject).await?;
    trail.is(&user);
    Ok(user)
}
