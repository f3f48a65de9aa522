//! The first identities, and the beginning of the audit.

use clew_model::{AuditEvent, Origin};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::audit;
use super::projects::{insert_domain, insert_project};
use super::users::insert_user;
use super::{set, setting};
use crate::database::Database;
use crate::error::StoreError;
use crate::sealing::Place;
use crate::store::{FirstTenant, Founded, REGION, Store};
use crate::users::NewUser;

/// Name of the setting that holds a known text, sealed: it tells whether a master key is the right one.
pub(super) const CANARY: &str = "canary";
pub(super) const CANARY_PLACE: Place<'static> = Place { table: "settings", column: "value", row: CANARY };

/// What it says since there is an audit. Only who has the key can write it, and a file where it stands and no audit is found
/// was tampered with; before, it said just [`CANARY`].
pub(super) const AUDITED: &str = "canary, audited";

/// Whether a database has its first identities.
pub(crate) async fn is_founded(database: &Database) -> Result<bool, StoreError> {
    setting(database, CANARY).await.map(|canary| canary.is_some())
}

impl Store {
    pub(crate) async fn found(&self, by: &Origin, tenant: FirstTenant) -> Result<Founded, StoreError> {
        let now = self.clock.seconds();
        let canary = self.sealer.seal(CANARY_PLACE, &SecretString::from(AUDITED))?;
        let mut change = self.change("make the first identities").await?;
        // Two may do this at the same time, each with a key of its own.
        if setting(change.connection(), CANARY).await?.is_some() {
            return Err(StoreError::AlreadyInitialised { place: "the database".to_owned() });
        }
        set(change.connection(), CANARY, &canary).await?;
        set(change.connection(), REGION, tenant.region.as_bytes()).await?;
        audit::begin(change.connection(), &self.keys.audit).await?;
        let domain_id = insert_domain(change.connection(), &tenant.domain_name, now).await?;
        let project_id = insert_project(change.connection(), &domain_id, &tenant.region, "", now).await?;
        let administrator = NewUser {
            name: tenant.user_name.clone(),
            password_hash: tenant.password_hash,
            administrator: true,
            description: String::new(),
        };
        let user_id = insert_user(change.connection(), &domain_id, &administrator, now).await?;
        self.insert_key(change.connection(), &user_id, &tenant.access_key, &tenant.secret_key).await?;
        let event = AuditEvent {
            domain_id: Some(domain_id.clone()),
            project_id: Some(project_id.clone()),
            detail: json!({
                "region": tenant.region, "user": tenant.user_name, "user_id": user_id, "access_key": tenant.access_key,
            }),
            ..AuditEvent::done(by, "Initialise", tenant.domain_name)
        };
        change.done(&event).await?;
        Ok(Founded { domain_id, project_id, user_id })
    }

    /// Fails where the master key is not the one that the secrets were sealed with. Begins the audit of a database that was made
    /// before there was one.
    pub(crate) async fn check_canary(&self) -> Result<(), StoreError> {
        let canary = setting(&self.database, CANARY).await?.ok_or_else(|| StoreError::Damaged {
            what: "metadata",
            reason: format!("{} is empty; restore it from a backup", self.database_file().display()),
        })?;
        if self.canary(&canary)?.expose_secret() == AUDITED { Ok(()) } else { self.begin_audit().await }
    }

    async fn begin_audit(&self) -> Result<(), StoreError> {
        let sealed = self.sealer.seal(CANARY_PLACE, &SecretString::from(AUDITED))?;
        let mut change = self.change("begin the audit").await?;
        let found = setting(change.connection(), CANARY).await?.unwrap_or_default();
        // Another process may have been faster.
        if self.canary(&found)?.expose_secret() == AUDITED {
            return Ok(());
        }
        audit::begin(change.connection(), &self.keys.audit).await?;
        set(change.connection(), CANARY, &sealed).await?;
        change.done(&AuditEvent::done(&Origin::clew(), "BeginAudit", "audit")).await
    }

    fn canary(&self, sealed: &[u8]) -> Result<SecretString, StoreError> {
        self.sealer.open(CANARY_PLACE, sealed).map_err(|_| StoreError::WrongMasterKey)
    }
}
