//! Security tokens: what temporary access keys come with.
//!
//! A security token ends with what its key is good for. The store keeps the hash of the whole, so that nobody can put another end to
//! one: a key that was got for a token of one project opens that project only.

use clew_iam::decision::Scope;
use clew_iam::{SecretError, token};
use secrecy::{ExposeSecret, SecretString};

const DOMAIN: &str = "domain";

/// A new one, of a key that is good for this. A plain token, as `clew key create` makes them, is of one that is good for all that a
/// permanent key is good for.
pub(crate) fn generate(scope: &Scope) -> Result<SecretString, SecretError> {
    let token = token::generate()?;
    let scope = match scope {
        Scope::AccessKey => return Ok(token),
        Scope::Domain => DOMAIN,
        Scope::Project(id) => id.as_str(),
    };
    Ok(SecretString::from(format!("{}.{scope}", token.expose_secret())))
}

/// What the key of a security token is good for, as it says by itself: believe it only if its hash is the stored one.
pub(crate) fn scope(security_token: &str) -> Option<Scope> {
    match security_token.split_once('.') {
        None => Some(Scope::AccessKey),
        Some((_, DOMAIN)) => Some(Scope::Domain),
        Some((_, id)) => id.parse().ok().map(Scope::Project),
    }
}

#[cfg(test)]
mod tests {
    use clew_model::ProjectId;

    use super::*;

    #[test]
    fn a_security_token_says_what_its_key_is_good_for() {
        for scope in [Scope::AccessKey, Scope::Domain, Scope::Project(ProjectId::generate())] {
            let token = generate(&scope).unwrap();
            assert_eq!(super::scope(token.expose_secret()), Some(scope));
        }
        for other in [".", "x.", "x.domains", "domain.", "x.domain.domain", "x.."] {
            assert_eq!(super::scope(other), None, "{other:?}");
        }
    }
}
