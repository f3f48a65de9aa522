//! Users, keys and policies for tests of permissions.

use clew_model::{AccessKeyId, DomainId, ProjectId, Tag, UserId};
use clew_store::{AuditFilter, AuditRecord, Grantee, NewUser, PolicyRef, ProjectChange, TokenOrigin};
use jiff::SignedDuration;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::call::Call;
use crate::server::{Server, test_origin};

/// A user with a permanent access key.
pub(crate) struct Signer {
    pub(crate) user: UserId,
    pub(crate) key: AccessKeyId,
    pub(crate) secret: SecretString,
}

impl Signer {
    pub(crate) fn sign(&self, call: Call) -> Call {
        call.signed(&self.key, &self.secret, SignedDuration::ZERO)
    }
}

impl Server {
    pub(crate) async fn user_of(&self, domain: &DomainId, name: &str, administrator: bool) -> UserId {
        let new = NewUser {
            name: name.into(),
            password_hash: "no password fits this".into(),
            administrator,
            description: String::new(),
        };
        self.store.identities().create_user(&test_origin(), domain, &new).await.unwrap()
    }

    /// Creates a user without policies.
    pub(crate) async fn user(&self, name: &str) -> UserId {
        self.user_of(&self.tenant.domain_id, name, false).await
    }

    /// Creates a user with an identity policy of these statements.
    pub(crate) async fn user_with(&self, name: &str, statements: Value) -> UserId {
        let user = self.user(name).await;
        let document = json!({ "Version": "5.0", "Statement": statements }).to_string();
        clew_iam::policy::Policy::parse(&document).unwrap();
        let name = format!("{name}-may");
        let policy = self
            .store
            .policies()
            .put_policy(&test_origin(), &self.tenant.domain_id, &name, "identity", &document, "")
            .await;
        self.store
            .policies()
            .attach_policy(&test_origin(), &PolicyRef::Custom(policy.unwrap()), &Grantee::User(user.clone()), None)
            .await
            .unwrap();
        user
    }

    /// Creates a user with a system policy.
    pub(crate) async fn user_with_system(&self, name: &str, policy: &str) -> UserId {
        let user = self.user(name).await;
        self.attach_system(policy, &user).await;
        user
    }

    pub(crate) async fn attach_system(&self, policy: &str, user: &UserId) {
        let policy = PolicyRef::System(policy.into());
        assert!(
            self.store
                .policies()
                .attach_policy(&test_origin(), &policy, &Grantee::User(user.clone()), None)
                .await
                .unwrap()
        );
    }

    pub(crate) async fn key_of(&self, user: &UserId) -> Signer {
        let (key, secret) = (AccessKeyId::generate(), clew_iam::access_key::generate_secret_key().unwrap());
        self.store.identities().create_access_key(&test_origin(), user, &key, &secret).await.unwrap();
        Signer { user: user.clone(), key, secret }
    }

    /// Creates a token for the server's project.
    pub(crate) async fn project_token(&self, user: &UserId) -> String {
        self.token_of(user, Some(&self.tenant.project_id), 3600).await
    }

    /// Creates a token for the domain.
    pub(crate) async fn domain_token(&self, user: &UserId) -> String {
        self.token_of(user, None, 3600).await
    }

    /// Creates a token of a session of the web page.
    pub(crate) async fn console_token(&self, user: &UserId, project: Option<&ProjectId>) -> String {
        self.token_from(TokenOrigin::Console, user, project, 3600).await
    }

    pub(crate) async fn mask(&self, project: &ProjectId, masking: bool) {
        let change = ProjectChange { masking: Some(masking), ..ProjectChange::default() };
        assert!(self.store.tenants().update_project(&test_origin(), project, &change).await.unwrap());
    }

    pub(crate) async fn tag(&self, key: &str, value: &str) {
        let tag = Tag { key: key.into(), value: value.into() };
        self.store
            .instances()
            .add_tags(&test_origin(), &self.tenant.project_id, &self.instance.id, &[tag])
            .await
            .unwrap();
    }

    /// Stops the server. Returns the number of an operation's audit rows, and of the requests that the rows count.
    pub(crate) async fn stop_and_count(&mut self, operation: &str) -> (usize, u64) {
        self.shutdown.cancel();
        (&mut self.serving).await.unwrap().unwrap();
        assert!(self.store.audit().verify_audit_log(&[]).await.unwrap().is_intact());
        let rows = self.audit_of(operation).await;
        let requests = rows.iter().map(|row| row.event.detail["repeated"].as_u64().unwrap_or(1)).sum();
        (rows.len(), requests)
    }

    /// Returns the audit rows of an operation.
    pub(crate) async fn audit_of(&self, operation: &str) -> Vec<AuditRecord> {
        let filter = AuditFilter { operation: Some(operation.into()), ..AuditFilter::default() };
        self.store.audit().list_audit_rows_after_seq(&filter, 0, 1000).await.unwrap()
    }
}
