//! What ends tokens and temporary keys, and what does not.

use clew_model::{AccessKeyId, GroupId, PolicyId, UserId};
use clew_store::{
    Grantee, IssuedFor, NewTemporaryKey, NewToken, PolicyRef, ProjectChange, StoreError, TokenOrigin, UserChange,
};
use secrecy::{ExposeSecret, SecretString};

use crate::fixture::{Fixture, by};

const DOCUMENT: &str = "{}";
/// The fixture's clock starts at 1000 seconds.
const EXPIRY: i64 = 5000;

/// Two users, each with a token and a temporary key, and what connects the first with policies.
struct Scene {
    fixture: Fixture,
    ada: UserId,
    group: GroupId,
    policy: PolicyId,
    key: AccessKeyId,
}

/// Hash of a user's token: one byte.
const ADAS: [u8; 32] = [1; 32];
const GRACES: [u8; 32] = [2; 32];

impl Scene {
    /// With `attached`, the policy is attached to the group that ada is a member of.
    async fn new(attached: bool) -> Self {
        let fixture = Fixture::new().await;
        let (store, domain) = (&fixture.store, &fixture.founded.domain_id);
        let (ada, grace) = (fixture.user("ada").await, fixture.user("grace").await);
        let group = store.create_group(&by(), domain, "dbas", "").await.unwrap();
        let policy = store.put_policy(&by(), domain, "look", "role", DOCUMENT, "").await.unwrap();
        let key = AccessKeyId::generate();
        store.create_key(&by(), &ada, &key, &SecretString::from("secret")).await.unwrap();
        if attached {
            store.add_member(&by(), &group, &ada).await.unwrap();
            store.attach(&by(), &PolicyRef::Own(policy.clone()), &Grantee::Group(group.clone()), None).await.unwrap();
        }
        for (user, hash) in [(&ada, ADAS), (&grace, GRACES)] {
            let token = NewToken {
                hash,
                user_id: user.clone(),
                scope_project: None,
                issued_by_methods: vec!["password".into(), "totp".into()],
                issued_at: 1000,
                expires_at: EXPIRY,
                origin: TokenOrigin::Api,
            };
            store.insert_token(&token).await.unwrap();
            let key = NewTemporaryKey {
                user_id: user.clone(),
                id: temporary(hash),
                secret: SecretString::from("a temporary secret"),
                token_hash: [9; 32],
                expires_at: EXPIRY,
                issued_for: IssuedFor::Nothing,
            };
            store.create_temporary_key(&by(), &key).await.unwrap();
        }
        Self { fixture, ada, group, policy, key }
    }

    async fn version(&self) -> i64 {
        self.fixture.store.view().await.unwrap().access_version()
    }

    async fn token_revoked(&self, hash: [u8; 32]) -> bool {
        self.fixture.store.token(&hash).await.unwrap().unwrap().revoked
    }

    async fn key_revoked(&self, hash: [u8; 32]) -> bool {
        self.fixture.store.access_key(&temporary(hash)).await.unwrap().unwrap().temporary.unwrap().revoked
    }
}

/// The id of a user's temporary key.
fn temporary(hash: [u8; 32]) -> AccessKeyId {
    format!("TEMPORARY{}", hash[0]).parse().unwrap()
}

/// Something that happens to ada.
#[derive(Debug, Clone, Copy)]
enum Cause {
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

async fn happen(scene: &Scene, cause: Cause) {
    let (store, ada) = (&scene.fixture.store, &scene.ada);
    let user = |change: UserChange| async move { store.update_user(&by(), ada, &change).await.unwrap() };
    let own = PolicyRef::Own(scene.policy.clone());
    let group = Grantee::Group(scene.group.clone());
    let done = match cause {
        Cause::Disabled => user(UserChange { enabled: Some(false), ..UserChange::default() }).await,
        Cause::Enabled => user(UserChange { enabled: Some(true), ..UserChange::default() }).await,
        Cause::NewPassword => user(UserChange { password_hash: Some("new".into()), ..UserChange::default() }).await,
        Cause::Promoted => user(UserChange { administrator: Some(true), ..UserChange::default() }).await,
        Cause::Described => user(UserChange { description: Some("x".into()), ..UserChange::default() }).await,
        Cause::KeyDisabled => store.set_key_enabled(&by(), &scene.key, false).await.unwrap(),
        Cause::KeyEnabled => store.set_key_enabled(&by(), &scene.key, true).await.unwrap(),
        Cause::KeyRemoved => store.remove_key(&by(), &scene.key).await.unwrap(),
        Cause::JoinsGroup => store.add_member(&by(), &scene.group, ada).await.unwrap(),
        Cause::LeavesGroup => store.remove_member(&by(), &scene.group, ada).await.unwrap(),
        Cause::GroupRemoved => store.remove_group(&by(), &scene.group).await.unwrap(),
        Cause::PolicyPut => {
            let domain = &scene.fixture.founded.domain_id;
            store.put_policy(&by(), domain, "look", "role", "{ }", "").await.unwrap() == scene.policy
        }
        Cause::PolicyAttached => {
            let system = PolicyRef::System("TaurusDB FullAccess".into());
            store.attach(&by(), &system, &Grantee::User(ada.clone()), None).await.unwrap()
        }
        Cause::PolicyAttachedToGroup => {
            let system = PolicyRef::System("TaurusDB FullAccess".into());
            store.attach(&by(), &system, &group, Some(&scene.fixture.founded.project_id)).await.unwrap()
        }
        Cause::PolicyDetached => store.detach(&by(), &own, &group, None).await.unwrap(),
        Cause::ProjectChanged => {
            let change = ProjectChange { masking: Some(true), ..ProjectChange::default() };
            store.update_project(&by(), &scene.fixture.founded.project_id, &change).await.unwrap()
        }
    };
    assert!(done, "{cause:?} changed nothing");
}

#[tokio::test]
async fn each_cause_ends_what_it_must_and_nothing_of_others() {
    let _kept = crate::place::keep().await;
    for (cause, attached, token, key) in [
        (Cause::Disabled, false, true, true),
        (Cause::NewPassword, false, true, true),
        (Cause::KeyDisabled, false, true, true),
        (Cause::KeyRemoved, false, true, true),
        (Cause::Promoted, false, true, false),
        (Cause::JoinsGroup, false, true, false),
        (Cause::LeavesGroup, true, true, false),
        (Cause::GroupRemoved, true, true, false),
        (Cause::PolicyPut, true, true, false),
        (Cause::PolicyAttached, false, true, false),
        (Cause::PolicyAttachedToGroup, true, true, false),
        (Cause::PolicyDetached, true, true, false),
        // These change nothing of what ada may do.
        (Cause::PolicyPut, false, false, false),
        (Cause::PolicyAttachedToGroup, false, false, false),
        (Cause::GroupRemoved, false, false, false),
        (Cause::Enabled, false, false, false),
        (Cause::Described, false, false, false),
        (Cause::KeyEnabled, false, false, false),
        (Cause::ProjectChanged, true, false, false),
    ] {
        let scene = Scene::new(attached).await;
        let version = scene.version().await;
        happen(&scene, cause).await;
        assert_eq!(scene.token_revoked(ADAS).await, token, "{cause:?}: the token");
        assert_eq!(scene.key_revoked(ADAS).await, key, "{cause:?}: the temporary key");
        assert!(!scene.token_revoked(GRACES).await && !scene.key_revoked(GRACES).await, "{cause:?}: another user's");
        let raised = scene.version().await > version;
        assert!(raised, "{cause:?}: the version");
    }
}

#[tokio::test]
async fn what_was_handed_out_afterwards_is_good() {
    let scene = Scene::new(true).await;
    happen(&scene, Cause::NewPassword).await;
    let token = NewToken {
        hash: [3; 32],
        user_id: scene.ada.clone(),
        scope_project: None,
        issued_by_methods: vec!["password".into()],
        issued_at: 1000,
        expires_at: EXPIRY,
        origin: TokenOrigin::Api,
    };
    scene.fixture.store.insert_token(&token).await.unwrap();
    assert!(!scene.token_revoked([3; 32]).await);
    assert!(scene.token_revoked(ADAS).await);
}

#[tokio::test]
async fn a_token_is_taken_back_once_and_alone() {
    let scene = Scene::new(false).await;
    assert!(scene.fixture.store.revoke_token(&by(), &ADAS).await.unwrap());
    assert!(!scene.fixture.store.revoke_token(&by(), &ADAS).await.unwrap());
    assert!(!scene.fixture.store.revoke_token(&by(), &[7; 32]).await.unwrap());
    let found = scene.fixture.store.token(&ADAS).await.unwrap().unwrap();
    assert!(found.revoked && found.issued_by_methods == ["password", "totp"]);
    assert!(!scene.token_revoked(GRACES).await);
    assert!(!scene.key_revoked(ADAS).await);
}

#[tokio::test]
async fn tokens_and_keys_go_with_their_user() {
    let scene = Scene::new(true).await;
    assert!(scene.fixture.store.remove_user(&by(), &scene.ada).await.unwrap());
    assert!(scene.fixture.store.token(&ADAS).await.unwrap().is_none());
    assert!(scene.fixture.store.access_key(&temporary(ADAS)).await.unwrap().is_none());
    assert!(scene.fixture.store.access_key(&scene.key).await.unwrap().is_none());
    assert!(!scene.token_revoked(GRACES).await);
}

#[tokio::test]
async fn a_temporary_key_is_found_with_its_token_until_it_is_removed_with_old_tokens() {
    let scene = Scene::new(false).await;
    let store = &scene.fixture.store;
    let found = store.access_key(&temporary(ADAS)).await.unwrap().unwrap();
    assert_eq!((found.secret.expose_secret(), &found.user.id), ("a temporary secret", &scene.ada));
    let temporary_key = found.temporary.unwrap();
    assert_eq!((temporary_key.token_hash, temporary_key.expires_at, temporary_key.revoked), ([9; 32], EXPIRY, false));
    assert!(store.access_key(&scene.key).await.unwrap().unwrap().temporary.is_none());
    assert_eq!(store.keys_of(&scene.ada).await.unwrap().len(), 1, "temporary keys are none of the two");
    assert_eq!(store.remove_tokens_expired_before(EXPIRY).await.unwrap(), 0);
    assert_eq!(store.remove_tokens_expired_before(EXPIRY + 1).await.unwrap(), 4);
    assert!(store.access_key(&temporary(ADAS)).await.unwrap().is_none());
    let nobodys = NewTemporaryKey {
        user_id: UserId::generate(),
        id: AccessKeyId::generate(),
        secret: SecretString::from("x"),
        token_hash: [0; 32],
        expires_at: EXPIRY,
        issued_for: IssuedFor::Nothing,
    };
    assert!(store.create_temporary_key(&by(), &nobodys).await.is_err());
}

#[tokio::test]
async fn a_temporary_key_ends_with_the_token_that_it_was_issued_for() {
    let scene = Scene::new(true).await;
    let (store, ada) = (&scene.fixture.store, &scene.ada);
    let key = |id: &str, issued_for| NewTemporaryKey {
        user_id: ada.clone(),
        id: id.parse().unwrap(),
        secret: SecretString::from("a temporary secret"),
        token_hash: [9; 32],
        expires_at: EXPIRY,
        issued_for,
    };
    let second = NewToken {
        hash: [3; 32],
        user_id: ada.clone(),
        scope_project: None,
        issued_by_methods: vec!["password".into()],
        issued_at: 1000,
        expires_at: EXPIRY,
        origin: TokenOrigin::Console,
    };
    store.insert_token(&second).await.unwrap();
    assert_eq!(store.token(&[3; 32]).await.unwrap().unwrap().origin, TokenOrigin::Console);
    assert_eq!(store.token(&ADAS).await.unwrap().unwrap().origin, TokenOrigin::Api);
    for (id, issued_for) in [
        ("OFTHEFIRST", IssuedFor::Token(ADAS)),
        ("OFTHESECOND", IssuedFor::Token([3; 32])),
        ("OFNONEATALL", IssuedFor::Nothing),
    ] {
        store.create_temporary_key(&by(), &key(id, issued_for)).await.unwrap();
    }
    let revoked = async || {
        let mut revoked = Vec::new();
        for id in ["OFTHEFIRST", "OFTHESECOND", "OFNONEATALL"] {
            let key = store.access_key(&id.parse().unwrap()).await.unwrap().unwrap();
            revoked.push(key.temporary.unwrap().revoked);
        }
        revoked
    };
    assert!(store.revoke_token(&by(), &ADAS).await.unwrap());
    assert_eq!(revoked().await, [true, false, false]);
    // What changes the user's rights ends the other token, and its key with it.
    store.put_policy(&by(), &scene.fixture.founded.domain_id, "look", "role", "{2}", "").await.unwrap();
    assert_eq!(revoked().await, [true, true, false]);
}

#[tokio::test]
async fn no_temporary_key_is_issued_for_credentials_that_ended_meanwhile() {
    let scene = Scene::new(true).await;
    let store = &scene.fixture.store;
    let create = async |issued_for: IssuedFor| {
        let key = NewTemporaryKey {
            user_id: scene.ada.clone(),
            id: AccessKeyId::generate(),
            secret: SecretString::from("a temporary secret"),
            token_hash: [9; 32],
            expires_at: EXPIRY,
            issued_for,
        };
        match store.create_temporary_key(&by(), &key).await {
            Ok(()) => true,
            Err(StoreError::SourceRevoked) => false,
            Err(other) => panic!("{other}"),
        }
    };
    let key = || IssuedFor::Key(scene.key.clone());
    assert!(create(IssuedFor::Token(ADAS)).await && create(key()).await);
    assert!(!create(IssuedFor::Token([77; 32])).await, "a token that was removed");
    assert!(store.revoke_token(&by(), &ADAS).await.unwrap());
    assert!(!create(IssuedFor::Token(ADAS)).await);
    assert!(store.set_key_enabled(&by(), &scene.key, false).await.unwrap());
    assert!(!create(key()).await);
    assert!(store.remove_key(&by(), &scene.key).await.unwrap());
    assert!(!create(key()).await && create(IssuedFor::Nothing).await);
}
