//! Creates the initial identities, verifies the master key and starts the audit log.

use clew_model::{AuditEvent, AuditOrigin};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::audit;
use crate::error::StoreError;
use crate::identities::users::{NewUser, insert_user};
use crate::sealing::{AssociatedData, Sealer};
use crate::settings::{MASTER_KEY_CHECK_VALUE_SETTING, read_setting, write_setting};
use crate::store::{InitialTenant, InitialTenantIds, REGION_SETTING_NAME, Store};
use crate::tenants::projects::{insert_iam_domain, insert_project};

const MASTER_KEY_CHECK_VALUE_ASSOCIATED_DATA: AssociatedData<'static> =
    AssociatedData { table: "settings", column: "value", row: MASTER_KEY_CHECK_VALUE_SETTING };

/// If a database has the check value `canary, audited` but no audit log, the audit log was removed.
/// Clew versions without an audit log encrypted the plaintext `canary` as the master key check value.
const MASTER_KEY_CHECK_VALUE_PLAINTEXT: &str = "canary, audited";

pub(crate) fn seal_master_key_check_value(sealer: &Sealer) -> Result<Vec<u8>, StoreError> {
    sealer.seal(MASTER_KEY_CHECK_VALUE_ASSOCIATED_DATA, &SecretString::from(MASTER_KEY_CHECK_VALUE_PLAINTEXT))
}

impl Store {
    pub(crate) async fn insert_initial_identities(
        &self,
        by: &AuditOrigin,
        tenant: InitialTenant,
    ) -> Result<InitialTenantIds, StoreError> {
        let now = self.clock.unix_seconds();
        let canary = seal_master_key_check_value(&self.sealer)?;
        let mut tx = self.begin_audited_transaction("create the initial identities").await?;
        // Two processes may initialize the database at the same time, each with its own key.
        if read_setting(tx.transaction(), MASTER_KEY_CHECK_VALUE_SETTING).await?.is_some() {
            return Err(StoreError::AlreadyInitialized("the database".to_owned()));
        }
        write_setting(tx.transaction(), MASTER_KEY_CHECK_VALUE_SETTING, &canary).await?;
        write_setting(tx.transaction(), REGION_SETTING_NAME, tenant.region.as_bytes()).await?;
        audit::initialize_audit_chain(tx.transaction(), &self.keys.audit).await?;
        let domain_id = insert_iam_domain(tx.transaction(), &tenant.domain_name, now).await?;
        let project_id = insert_project(tx.transaction(), &domain_id, &tenant.region, "", now).await?;
        let administrator = NewUser {
            name: tenant.user_name.clone(),
            password_hash: tenant.password_hash,
            administrator: true,
            description: String::new(),
        };
        let user_id = insert_user(tx.transaction(), &domain_id, &administrator, now).await?;
        self.identities().insert_access_key(tx.transaction(), &user_id, &tenant.access_key, &tenant.secret_key).await?;
        let event = AuditEvent {
            domain_id: Some(domain_id.clone()),
            project_id: Some(project_id.clone()),
            detail: json!({
                "region": tenant.region, "user": tenant.user_name, "user_id": user_id, "access_key": tenant.access_key,
            }),
            ..AuditEvent::for_successful_operation(by, "Initialize", tenant.domain_name)
        };
        tx.commit_with_event(&event).await?;
        Ok(InitialTenantIds { domain_id, project_id, user_id })
    }

    /// Initializes the audit log if the database was created by a Clew version without an audit log.
    pub(crate) async fn verify_master_key(&self) -> Result<(), StoreError> {
        let canary =
            read_setting(&self.database, MASTER_KEY_CHECK_VALUE_SETTING).await?.ok_or_else(|| StoreError::Damaged {
                what: "metadata",
                reason: format!("{} is empty; restore it from a backup", self.database_path().display()),
            })?;
        if self.decrypt_master_key_check_value(&canary)?.expose_secret() == MASTER_KEY_CHECK_VALUE_PLAINTEXT {
            Ok(())
        } else {
            self.initialize_audit_log().await
        }
    }

    async fn initialize_audit_log(&self) -> Result<(), StoreError> {
        let sealed = seal_master_key_check_value(&self.sealer)?;
        let mut tx = self.begin_audited_transaction("start the audit log").await?;
        let found = read_setting(tx.transaction(), MASTER_KEY_CHECK_VALUE_SETTING).await?.unwrap_or_default();
        // Another process may have started the audit log concurrently.
        if self.decrypt_master_key_check_value(&found)?.expose_secret() == MASTER_KEY_CHECK_VALUE_PLAINTEXT {
            return Ok(());
        }
        audit::initialize_audit_chain(tx.transaction(), &self.keys.audit).await?;
        write_setting(tx.transaction(), MASTER_KEY_CHECK_VALUE_SETTING, &sealed).await?;
        let origin = AuditOrigin::for_internal_operation();
        tx.commit_with_event(&AuditEvent::for_successful_operation(&origin, "BeginAudit", "audit")).await
    }

    fn decrypt_master_key_check_value(&self, sealed: &[u8]) -> Result<SecretString, StoreError> {
        self.sealer.unseal(MASTER_KEY_CHECK_VALUE_ASSOCIATED_DATA, sealed).map_err(|_| StoreError::WrongMasterKey)
    }
}
