//! Revocation of tokens and temporary keys.

use clew_model::{AccessKeyId, GroupId, PolicyId, UserId};
use clew_store::{
    Grantee, IssuingCredentials, NewTemporaryAccessKey, NewToken, PolicyRef, ProjectChange, StoreError, TokenOrigin,
    UserChange,
};
use rstest::rstest;
use secrecy::{ExposeSecret, SecretString};

use crate::backend::MetadataServer;
use crate::database::Database;
use crate::fixture::{Fixture, origin};

const DOCUMENT: &str = "{}";
/// Expiration time in seconds. The fixture's clock starts at 1000 seconds.
const EXPIRES_AT: i64 = 5000;

/// Two users with a token and a temporary key each, and a group with a policy for the first user.
struct RevocationFixture {
    fixture: Fixture,
    ada: UserId,
    group: GroupId,
    policy: PolicyId,
    key: AccessKeyId,
}

/// Hashes of the users' tokens.
const ADA_TOKEN: [u8; 32] = [1; 32];
const GRACE_TOKEN: [u8; 32] = [2; 32];

impl RevocationFixture {
    /// If `attached` is true, the policy is attached to ada's group.
    async fn new(server: &MetadataServer, attached: bool) -> Self {
        let fixture = Fixture::on_server(server).await;
        let (store, domain) = (&fixture.store, &fixture.initial_ids.domain_id);
        let (ada, grace) = (fixture.user("ada").await, fixture.user("grace").await);
        let group = store.identities().create_group(&origin(), domain, "dbas", "").await.unwrap();
        let policy = store.policies().put_policy(&origin(), domain, "look", "role", DOCUMENT, "").await.unwrap();
        let key = AccessKeyId::generate();
        store.identities().create_access_key(&origin(), &ada, &key, &SecretString::from("secret")).await.unwrap();
        if attached {
            store.identities().add_group_member(&origin(), &group, &ada).await.unwrap();
            store
                .policies()
                .attach_policy(&origin(), &PolicyRef::Custom(policy.clone()), &Grantee::Group(group.clone()), None)
                .await
                .unwrap();
        }
        for (user, hash) in [(&ada, ADA_TOKEN), (&grace, GRACE_TOKEN)] {
            let token = NewToken {
                hash,
                user_id: user.clone(),
                scope_project: None,
                issued_by_methods: vec!["password".into(), "totp".into()],
                issued_at: 1000,
                expires_at: EXPIRES_AT,
                origin: TokenOrigin::Api,
            };
            store.identities().insert_token(&token).await.unwrap();
            let key = NewTemporaryAccessKey {
                user_id: user.clone(),
                id: temporary_key_id(hash),
                secret: SecretString::from("a temporary secret"),
                token_hash: [9; 32],
                expires_at: EXPIRES_AT,
                issued_for: IssuingCredentials::CommandLine,
            };
            store.identities().create_temporary_key(&origin(), &key).await.unwrap();
        }
        Self { fixture, ada, group, policy, key }
    }

    async fn version(&self) -> i64 {
        self.fixture.store.open_cached_view().await.unwrap().access_control_version()
    }

    async fn token_revoked(&self, hash: [u8; 32]) -> bool {
        self.fixture.store.identities().find_token(&hash).await.unwrap().unwrap().revoked
    }

    async fn key_revoked(&self, hash: [u8; 32]) -> bool {
        self.fixture
            .store
            .identities()
            .find_access_key(&temporary_key_id(hash))
            .await
            .unwrap()
            .unwrap()
            .temporary
            .unwrap()
            .revoked
    }
}

/// Returns the id of a user's temporary key.
fn temporary_key_id(hash: [u8; 32]) -> AccessKeyId {
    format!("TEMPORARY{}", hash[0]).parse().unwrap()
}

/// Change to ada's permissions.
#[derive(Debug, Clone, Copy)]
enum RightsChange {
    Disabled,
    Enabled,
    NewPassword,
    Promoted,
    Described,
    KeyDisabled,
    KeyEnabled,
    KeyRemoved,
    JoinsGroup,
    LeavesGroup,
    GroupRemoved,
    PolicyPut,
    PolicyAttached,
    PolicyAttachedToGroup,
    PolicyDetached,
    ProjectChanged,
}

async fn apply(scene: &RevocationFixture, cause: RightsChange) {
    let (store, ada) = (&scene.fixture.store, &scene.ada);
    let user =
        |change: UserChange| async move { store.identities().update_user(&origin(), ada, &change).await.unwrap() };
    let own = PolicyRef::Custom(scene.policy.clone());
    let group = Grantee::Group(scene.group.clone());
    let done = match cause {
        RightsChange::Disabled => user(UserChange { enabled: Some(false), ..UserChange::default() }).await,
        RightsChange::Enabled => user(UserChange { enabled: Some(true), ..UserChange::default() }).await,
        RightsChange::NewPassword => {
            user(UserChange { password_hash: Some("new".into()), ..UserChange::default() }).await
        }
        RightsChange::Promoted => user(UserChange { administrator: Some(true), ..UserChange::default() }).await,
        RightsChange::Described => user(UserChange { description: Some("x".into()), ..UserChange::default() }).await,
        RightsChange::KeyDisabled => {
            store.identities().set_access_key_enabled(&origin(), &scene.key, false).await.unwrap()
        }
        RightsChange::KeyEnabled => {
            store.identities().set_access_key_enabled(&origin(), &scene.key, true).await.unwrap()
        }
        RightsChange::KeyRemoved => store.identities().remove_access_key(&origin(), &scene.key).await.unwrap(),
        RightsChange::JoinsGroup => store.identities().add_group_member(&origin(), &scene.group, ada).await.unwrap(),
        RightsChange::LeavesGroup => {
            store.identities().remove_group_member(&origin(), &scene.group, ada).await.unwrap()
        }
        RightsChange::GroupRemoved => store.identities().remove_group(&origin(), &scene.group).await.unwrap(),
        RightsChange::PolicyPut => {
            let domain = &scene.fixture.initial_ids.domain_id;
            store.policies().put_policy(&origin(), domain, "look", "role", "{ }", "").await.unwrap() == scene.policy
        }
        RightsChange::PolicyAttached => {
            let system = PolicyRef::System("TaurusDB FullAccess".into());
            store.policies().attach_policy(&origin(), &system, &Grantee::User(ada.clone()), None).await.unwrap()
        }
        RightsChange::PolicyAttachedToGroup => {
            let system = PolicyRef::System("TaurusDB FullAccess".into());
            store
                .policies()
                .attach_policy(&origin(), &system, &group, Some(&scene.fixture.initial_ids.project_id))
                .await
                .unwrap()
        }
        RightsChange::PolicyDetached => store.policies().detach_policy(&origin(), &own, &group, None).await.unwrap(),
        RightsChange::ProjectChanged => {
            let change = ProjectChange { masking: Some(true), ..ProjectChange::default() };
            store.tenants().update_project(&origin(), &scene.fixture.initial_ids.project_id, &change).await.unwrap()
        }
    };
    assert!(done, "{cause:?} changed nothing");
}

#[rstest]
#[tokio::test]
async fn each_change_revokes_credentials_of_affected_users_only(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let server = MetadataServer::start(database).await;
    for (cause, attached, token, key) in [
        (RightsChange::Disabled, false, true, true),
        (RightsChange::NewPassword, false, true, true),
        (RightsChange::KeyDisabled, false, true, true),
        (RightsChange::KeyRemoved, false, true, true),
        (RightsChange::Promoted, false, true, false),
        (RightsChange::JoinsGroup, false, true, false),
        (RightsChange::LeavesGroup, true, true, false),
        (RightsChange::GroupRemoved, true, true, false),
        (RightsChange::PolicyPut, true, true, false),
        (RightsChange::PolicyAttached, false, true, false),
        (RightsChange::PolicyAttachedToGroup, true, true, false),
        (RightsChange::PolicyDetached, true, true, false),
        // The following changes do not affect ada's permissions.
        (RightsChange::PolicyPut, false, false, false),
        (RightsChange::PolicyAttachedToGroup, false, false, false),
        (RightsChange::GroupRemoved, false, false, false),
        (RightsChange::Enabled, false, false, false),
        (RightsChange::Described, false, false, false),
        (RightsChange::KeyEnabled, false, false, false),
        (RightsChange::ProjectChanged, true, false, false),
    ] {
        let scene = RevocationFixture::new(&server, attached).await;
        let version = scene.version().await;
        apply(&scene, cause).await;
        assert_eq!(scene.token_revoked(ADA_TOKEN).await, token, "{cause:?}: the token");
        assert_eq!(scene.key_revoked(ADA_TOKEN).await, key, "{cause:?}: the temporary key");
        assert!(
            !scene.token_revoked(GRACE_TOKEN).await && !scene.key_revoked(GRACE_TOKEN).await,
            "{cause:?}: another user's"
        );
        let increased = scene.version().await > version;
        assert!(increased, "{cause:?}: the version");
    }
}

#[rstest]
#[tokio::test]
async fn token_issued_after_a_revocation_is_valid(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let scene = RevocationFixture::new(&MetadataServer::start(database).await, true).await;
    apply(&scene, RightsChange::NewPassword).await;
    let token = NewToken {
        hash: [3; 32],
        user_id: scene.ada.clone(),
        scope_project: None,
        issued_by_methods: vec!["password".into()],
        issued_at: 1000,
        expires_at: EXPIRES_AT,
        origin: TokenOrigin::Api,
    };
    scene.fixture.store.identities().insert_token(&token).await.unwrap();
    assert!(!scene.token_revoked([3; 32]).await);
    assert!(scene.token_revoked(ADA_TOKEN).await);
}

#[rstest]
#[tokio::test]
async fn token_is_revoked_once_without_affecting_others(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let scene = RevocationFixture::new(&MetadataServer::start(database).await, false).await;
    assert!(scene.fixture.store.identities().revoke_token(&origin(), &ADA_TOKEN).await.unwrap());
    assert!(!scene.fixture.store.identities().revoke_token(&origin(), &ADA_TOKEN).await.unwrap());
    assert!(!scene.fixture.store.identities().revoke_token(&origin(), &[7; 32]).await.unwrap());
    let found = scene.fixture.store.identities().find_token(&ADA_TOKEN).await.unwrap().unwrap();
    assert!(found.revoked && found.issued_by_methods == ["password", "totp"]);
    assert!(!scene.token_revoked(GRACE_TOKEN).await);
    assert!(!scene.key_revoked(ADA_TOKEN).await);
}

#[rstest]
#[tokio::test]
async fn tokens_and_keys_are_removed_with_their_user(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let scene = RevocationFixture::new(&MetadataServer::start(database).await, true).await;
    assert!(scene.fixture.store.identities().remove_user(&origin(), &scene.ada).await.unwrap());
    assert!(scene.fixture.store.identities().find_token(&ADA_TOKEN).await.unwrap().is_none());
    assert!(scene.fixture.store.identities().find_access_key(&temporary_key_id(ADA_TOKEN)).await.unwrap().is_none());
    assert!(scene.fixture.store.identities().find_access_key(&scene.key).await.unwrap().is_none());
    assert!(!scene.token_revoked(GRACE_TOKEN).await);
}

#[rstest]
#[tokio::test]
async fn expired_temporary_key_is_removed_with_old_tokens(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let scene = RevocationFixture::new(&MetadataServer::start(database).await, false).await;
    let store = &scene.fixture.store;
    let found = store.identities().find_access_key(&temporary_key_id(ADA_TOKEN)).await.unwrap().unwrap();
    assert_eq!((found.secret.expose_secret(), &found.user.id), ("a temporary secret", &scene.ada));
    let temporary_key = found.temporary.unwrap();
    assert_eq!(
        (temporary_key.token_hash, temporary_key.expires_at, temporary_key.revoked),
        ([9; 32], EXPIRES_AT, false)
    );
    assert!(store.identities().find_access_key(&scene.key).await.unwrap().unwrap().temporary.is_none());
    assert_eq!(
        store.identities().list_access_keys(&scene.ada).await.unwrap().len(),
        1,
        "temporary keys are not counted"
    );
    assert_eq!(store.identities().remove_credentials_expired_before(EXPIRES_AT).await.unwrap(), 0);
    assert_eq!(store.identities().remove_credentials_expired_before(EXPIRES_AT + 1).await.unwrap(), 4);
    assert!(store.identities().find_access_key(&temporary_key_id(ADA_TOKEN)).await.unwrap().is_none());
    let orphan = NewTemporaryAccessKey {
        user_id: UserId::generate(),
        id: AccessKeyId::generate(),
        secret: SecretString::from("x"),
        token_hash: [0; 32],
        expires_at: EXPIRES_AT,
        issued_for: IssuingCredentials::CommandLine,
    };
    assert!(store.identities().create_temporary_key(&origin(), &orphan).await.is_err());
}

#[rstest]
#[tokio::test]
async fn temporary_key_is_revoked_with_its_token(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    let scene = RevocationFixture::new(&MetadataServer::start(database).await, true).await;
    let (store, ada) = (&scene.fixture.store, &scene.ada);
    let key = |id: &str, issued_for| NewTemporaryAccessKey {
        user_id: ada.clone(),
        id: id.parse().unwrap(),
        secret: SecretString::from("a temporary secret"),
        token_hash: [9; 32],
        expires_at: EXPIRES_AT,
        issued_for,
    };
    let second = NewToken {
        hash: [3; 32],
        user_id: ada.clone(),
        scope_project: None,
        issued_by_methods: vec!["password".into()],
        issued_at: 1000,
        expires_at: EXPIRES_AT,
        origin: TokenOrigin::Console,
    };
    store.identities().insert_token(&second).await.unwrap();
    assert_eq!(store.identities().find_token(&[3; 32]).await.unwrap().unwrap().origin, TokenOrigin::Console);
    assert_eq!(store.identities().find_token(&ADA_TOKEN).await.unwrap().unwrap().origin, TokenOrigin::Api);
    for (id, issued_for) in [
        ("OFTHEFIRST", IssuingCredentials::Token(ADA_TOKEN)),
        ("OFTHESECOND", IssuingCredentials::Token([3; 32])),
        ("OFNONEATALL", IssuingCredentials::CommandLine),
    ] {
        store.identities().create_temporary_key(&origin(), &key(id, issued_for)).await.unwrap();
    }
    let revoked = async || {
        let mut revoked = Vec::new();
        for id in ["OFTHEFIRST", "OFTHESECOND", "OFNONEATALL"] {
            let key = store.identities().find_access_key(&id.parse().unwrap()).await.unwrap().unwrap();
            revoked.push(key.temporary.unwrap().revoked);
        }
        revoked
    };
    assert!(store.identities().revoke_token(&origin(), &ADA_TOKEN).await.unwrap());
    assert_eq!(revoked().await, [true, false, false]);
    // Changing the user's permissions revokes the other token and its key.
    store
        .policies()
        .put_policy(&origin(), &scene.fixture.initial_ids.domain_id, "look", "role", "{2}", "")
        .await
        .unwrap();
    assert_eq!(revoked().await, [true, true, false]);
}

#[rstest]
#[tokio::test]
async fn temporary_key_is_not_issued_for_revoked_credentials(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let scene = RevocationFixture::new(&MetadataServer::start(database).await, true).await;
    let store = &scene.fixture.store;
    let create = async |issued_for: IssuingCredentials| {
        let key = NewTemporaryAccessKey {
            user_id: scene.ada.clone(),
            id: AccessKeyId::generate(),
            secret: SecretString::from("a temporary secret"),
            token_hash: [9; 32],
            expires_at: EXPIRES_AT,
            issued_for,
        };
        match store.identities().create_temporary_key(&origin(), &key).await {
            Ok(()) => true,
            Err(StoreError::IssuingCredentialsRevoked) => false,
            Err(other) => panic!("{other}"),
        }
    };
    let key = || IssuingCredentials::Key(scene.key.clone());
    assert!(create(IssuingCredentials::Token(ADA_TOKEN)).await && create(key()).await);
    assert!(!create(IssuingCredentials::Token([77; 32])).await, "a removed token is rejected");
    assert!(store.identities().revoke_token(&origin(), &ADA_TOKEN).await.unwrap());
    assert!(!create(IssuingCredentials::Token(ADA_TOKEN)).await);
    assert!(store.identities().set_access_key_enabled(&origin(), &scene.key, false).await.unwrap());
    assert!(!create(key()).await);
    assert!(store.identities().remove_access_key(&origin(), &scene.key).await.unwrap());
    assert!(!create(key()).await && create(IssuingCredentials::CommandLine).await);
}
