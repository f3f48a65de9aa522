//! The read cache only returns current values, regardless of the process that changes them.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use clew_model::{
    AccessKeyId, AuditEvent, CollectionTaskOutcome, Failure, FailureKind, Instance, ProjectId, RequestId, Tag,
};
use clew_store::{
    CachedStoreView, Clock, Grantee, IssuingCredentials, LockoutState, NewSessionCollectionTask, NewTemporaryAccessKey,
    NewToken, PolicyRef, ProjectChange, Store, TokenOrigin, UserChange,
};
use rstest::rstest;
use secrecy::SecretString;

use crate::backend::{self, MetadataServer};
use crate::database::Database;
use crate::fixture::{Fixture, NODE_PASSWORD, claim, new_instance, origin};
use crate::subprocess;

const TOKEN: [u8; 32] = [7; 32];
const SUBJECT: &str = "key:AKTEST";
const TASK: &str = "realtime_session-0627a175-a4d4-44cd-b78a-51dc3ef8ba9a-98e9";
const KEY: &str = "AKFRESHNESS";
const TEMPORARY: &str = "TEMPORARYFRESHNESS";

/// A change that invalidates cached values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    KeyDisabled,
    KeyRemoved,
    UserDisabled,
    UserRemoved,
    TokenRevoked,
    NewPassword,
    PolicyAttached,
    JoinsGroup,
    ProjectDisabled,
    ProjectMasked,
    InstanceRemoved,
    Tagged,
    TaskTakenUp,
    TaskEnded,
    TaskRemoved,
    Locked,
    Forgiven,
}

use Change::{
    Forgiven, InstanceRemoved, JoinsGroup, KeyDisabled, KeyRemoved, Locked, NewPassword, PolicyAttached,
    ProjectDisabled, ProjectMasked, Tagged, TaskEnded, TaskRemoved, TaskTakenUp, TokenRevoked, UserDisabled,
    UserRemoved,
};

const ALL: [Change; 17] = [
    KeyDisabled,
    KeyRemoved,
    UserDisabled,
    UserRemoved,
    TokenRevoked,
    NewPassword,
    PolicyAttached,
    JoinsGroup,
    ProjectDisabled,
    ProjectMasked,
    InstanceRemoved,
    Tagged,
    TaskTakenUp,
    TaskEnded,
    TaskRemoved,
    Locked,
    Forgiven,
];

/// A user with entities for every change.
struct CacheFixture {
    fixture: Fixture,
    project: ProjectId,
    instance: Instance,
}

impl CacheFixture {
    async fn before(server: &MetadataServer, change: Change) -> Self {
        let fixture = Fixture::on_server(server).await;
        let store = &fixture.store;
        let user = fixture.user("grace").await;
        store.identities().create_access_key(&origin(), &user, &key(), &SecretString::from("secret")).await.unwrap();
        store.identities().create_group(&origin(), &fixture.initial_ids.domain_id, "dbas", "").await.unwrap();
        let project = fixture.initial_ids.project_id.clone();
        let url = format!("mysql://clew:{NODE_PASSWORD}@h/");
        let instance =
            store.instances().add_instance(&origin(), new_instance(&project, "shop", &[&url])).await.unwrap();
        let token = NewToken {
            hash: TOKEN,
            user_id: user.clone(),
            scope_project: None,
            issued_by_methods: vec!["password".into()],
            issued_at: 1000,
            expires_at: 9000,
            origin: TokenOrigin::Api,
        };
        store.identities().insert_token(&token).await.unwrap();
        let temporary = NewTemporaryAccessKey {
            user_id: user.clone(),
            id: TEMPORARY.parse().unwrap(),
            secret: SecretString::from("a temporary secret"),
            token_hash: [9; 32],
            expires_at: 9000,
            issued_for: IssuingCredentials::CommandLine,
        };
        store.identities().create_temporary_key(&origin(), &temporary).await.unwrap();
        let task = NewSessionCollectionTask { request_id: task(), ..fixture.new_task(&instance.nodes[0].id) };
        store.tasks().enqueue_task(&task, 9).await.unwrap();
        let before: &[Change] = match change {
            TaskEnded => &[TaskTakenUp],
            TaskRemoved => &[TaskTakenUp, TaskEnded],
            Forgiven => &[Locked],
            _ => &[],
        };
        for _ in 0..4 {
            store.lockouts().record_auth_failure(SUBJECT).await.unwrap();
        }
        for change in before {
            apply(store, *change).await;
        }
        Self { fixture, project, instance }
    }

    /// Returns a view of a newly opened store, which has no cached values.
    async fn uncached_view(&self) -> CachedStoreView {
        open(self.fixture.folder()).await.open_cached_view().await.unwrap()
    }

    /// Formats all values that a view returns, except the access version.
    async fn describe(&self, view: &CachedStoreView) -> String {
        let mut description = String::new();
        for id in [key(), TEMPORARY.parse().unwrap()] {
            let key = view.find_access_key(&id).await.unwrap();
            writeln!(description, "{:?}", key.map(|key| (key.enabled, key.user.enabled, key.temporary.clone())))
                .unwrap();
        }
        let token = view.find_token(&TOKEN).await.unwrap();
        let project = view.find_project(&self.project).await.unwrap();
        let instance = view.find_instance(&self.project, &self.instance.id).await.unwrap();
        let task = view.find_task(&task()).await.unwrap();
        let lockout_state = view.lockout_state(SUBJECT).await.unwrap();
        writeln!(description, "{:?} {project:?}", token.map(|token| (token.revoked, token.user.enabled))).unwrap();
        writeln!(description, "{:?} {lockout_state:?}", instance.map(|instance| instance.tags.clone())).unwrap();
        writeln!(description, "{:?}", task.map(|task| task.status)).unwrap();
        description
    }
}

fn key() -> AccessKeyId {
    KEY.parse().unwrap()
}

fn task() -> RequestId {
    TASK.parse().unwrap()
}

/// Opens the fixture's store with the fixture's clock.
async fn open(folder: &std::path::Path) -> Store {
    Store::open(backend::location(folder)).await.unwrap().with_clock(Clock::new(|| 1_000_000))
}

/// Applies a change with information from the store only, as another process would.
async fn apply(store: &Store, change: Change) {
    let domain = store.tenants().list_domains().await.unwrap().remove(0).id;
    let user =
        store.identities().list_users(&domain).await.unwrap().into_iter().find(|user| user.name == "grace").unwrap().id;
    let project = store.tenants().list_all_projects().await.unwrap().remove(0).id;
    let instance = store.instances().list_all_instances().await.unwrap().remove(0);
    let done = match change {
        KeyDisabled => store.identities().set_access_key_enabled(&origin(), &key(), false).await.unwrap(),
        KeyRemoved => store.identities().remove_access_key(&origin(), &key()).await.unwrap(),
        UserDisabled => {
            let update = UserChange { enabled: Some(false), ..UserChange::default() };
            store.identities().update_user(&origin(), &user, &update).await.unwrap()
        }
        UserRemoved => store.identities().remove_user(&origin(), &user).await.unwrap(),
        TokenRevoked => store.identities().revoke_token(&origin(), &TOKEN).await.unwrap(),
        NewPassword => {
            let update = UserChange { password_hash: Some("$".into()), ..UserChange::default() };
            store.identities().update_user(&origin(), &user, &update).await.unwrap()
        }
        PolicyAttached => {
            let system = PolicyRef::System("TaurusDB FullAccess".into());
            store.policies().attach_policy(&origin(), &system, &Grantee::User(user), None).await.unwrap()
        }
        JoinsGroup => {
            let group = store.identities().list_groups(&domain).await.unwrap().remove(0).id;
            store.identities().add_group_member(&origin(), &group, &user).await.unwrap()
        }
        ProjectDisabled => {
            let update = ProjectChange { enabled: Some(false), ..ProjectChange::default() };
            store.tenants().update_project(&origin(), &project, &update).await.unwrap()
        }
        ProjectMasked => {
            let update = ProjectChange { masking: Some(true), ..ProjectChange::default() };
            store.tenants().update_project(&origin(), &project, &update).await.unwrap()
        }
        InstanceRemoved => store.instances().remove_instance(&origin(), &project, &instance.id).await.unwrap(),
        Tagged => {
            let tag = Tag { key: "env".into(), value: "prod".into() };
            store.instances().add_tags(&origin(), &project, &instance.id, &[tag]).await.unwrap()
        }
        TaskTakenUp => claim(store, Duration::from_hours(1), 1).await.unwrap().is_some(),
        TaskEnded => {
            let outcome = CollectionTaskOutcome::Failed(Failure::new(FailureKind::TimedOut, "no answer"));
            store.tasks().complete_task(&task(), 1, &outcome).await.unwrap()
        }
        TaskRemoved => store.tasks().remove_tasks_ended_before(i64::MAX).await.is_ok(),
        Locked => store.lockouts().record_auth_failure(SUBJECT).await.unwrap().is_some(),
        Forgiven => store.lockouts().clear_auth_failures(SUBJECT).await.is_ok(),
    };
    assert!(done, "{change:?} changed nothing");
}

/// Checks that a change invalidates the cached values.
async fn check_invalidation(scene: &CacheFixture, change: Change, make_change: impl AsyncFnOnce()) {
    let store = &scene.fixture.store;
    let before = store.open_cached_view().await.unwrap();
    let before_change = scene.describe(&before).await;
    assert_eq!(
        before_change,
        scene.describe(&store.open_cached_view().await.unwrap()).await,
        "{change:?}: nothing had changed"
    );
    make_change().await;
    let (after, uncached) = (store.open_cached_view().await.unwrap(), scene.uncached_view().await);
    let after_change = scene.describe(&after).await;
    assert_eq!(after_change, scene.describe(&uncached).await, "{change:?}: something is stale");
    assert_eq!(after.access_control_version(), uncached.access_control_version(), "{change:?}");
    // Other crates cache the policies.
    if matches!(change, PolicyAttached | JoinsGroup) {
        assert!(after.access_control_version() > before.access_control_version(), "{change:?}");
    } else {
        assert_ne!(before_change, after_change, "{change:?}: cannot be seen");
    }
}

#[rstest]
#[tokio::test]
async fn change_by_this_process_is_visible_immediately(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let server = MetadataServer::start(database).await;
    for change in ALL {
        let scene = CacheFixture::before(&server, change).await;
        check_invalidation(&scene, change, async || apply(&scene.fixture.store, change).await).await;
    }
}

#[rstest]
#[tokio::test]
async fn change_by_another_process_is_visible_immediately(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    if let Some(folder) = subprocess::folder() {
        let at: usize = std::fs::read_to_string(folder.join("change")).unwrap().parse().unwrap();
        return apply(&open(&folder).await, ALL[at]).await;
    }
    let test = subprocess::contract_test("read_cache::change_by_another_process_is_visible_immediately", database);
    let server = MetadataServer::start(database).await;
    for (at, change) in ALL.into_iter().enumerate() {
        let scene = CacheFixture::before(&server, change).await;
        let folder = scene.fixture.folder();
        std::fs::write(folder.join("change"), at.to_string()).unwrap();
        let other = async || {
            let command = subprocess::command(&test, folder, &[]);
            tokio::task::spawn_blocking(|| subprocess::run_to_success(command)).await.unwrap();
        };
        check_invalidation(&scene, change, other).await;
    }
}

#[rstest]
#[tokio::test]
async fn cached_value_is_reused_until_its_version_changes(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let scene = CacheFixture::before(&MetadataServer::start(database).await, KeyRemoved).await;
    let store = &scene.fixture.store;
    let read = async || {
        let view = store.open_cached_view().await.unwrap();
        let key = view.find_access_key(&key()).await.unwrap().unwrap();
        let instance = view.find_instance(&scene.project, &scene.instance.id).await.unwrap().unwrap();
        (key, instance, view.find_task(&task()).await.unwrap().unwrap())
    };
    let (key, instance, task) = read().await;
    let again = read().await;
    assert!(Arc::ptr_eq(&key, &again.0) && Arc::ptr_eq(&instance, &again.1) && Arc::ptr_eq(&task, &again.2));
    // Any commit may change a task. Key changes have their own version.
    store.audit().append_audit_event(&AuditEvent::for_successful_operation(&origin(), "Test", "target")).await.unwrap();
    store.identities().record_access_key_use(&key).await.unwrap();
    let after = read().await;
    assert!(Arc::ptr_eq(&key, &after.0) && Arc::ptr_eq(&instance, &after.1) && !Arc::ptr_eq(&task, &after.2));
    apply(store, Tagged).await;
    let after = read().await;
    assert!(!Arc::ptr_eq(&key, &after.0) && !Arc::ptr_eq(&instance, &after.1));
}

#[rstest]
#[tokio::test]
async fn instance_is_visible_in_its_own_project_only(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let scene = CacheFixture::before(&MetadataServer::start(database).await, InstanceRemoved).await;
    let store = &scene.fixture.store;
    let other =
        store.tenants().create_project(&origin(), &scene.fixture.initial_ids.domain_id, "other", "").await.unwrap();
    let view = store.open_cached_view().await.unwrap();
    for (project, visible) in [(&scene.project, true), (&other, false), (&scene.project, true)] {
        assert_eq!(view.find_instance(project, &scene.instance.id).await.unwrap().is_some(), visible);
    }
}

#[rstest]
#[tokio::test]
async fn failures_of_another_process_are_visible(#[values(Database::Sqlite, Database::PostgreSql)] database: Database) {
    let scene = CacheFixture::before(&MetadataServer::start(database).await, KeyRemoved).await;
    let store = &scene.fixture.store;
    let lockout_state = async || store.open_cached_view().await.unwrap().lockout_state(SUBJECT).await.unwrap();
    store.lockouts().clear_auth_failures(SUBJECT).await.unwrap();
    assert_eq!(lockout_state().await, LockoutState::NoFailures);
    let other = open(scene.fixture.folder()).await;
    other.lockouts().record_auth_failure(SUBJECT).await.unwrap();
    assert_eq!(lockout_state().await, LockoutState::HasFailures);
    for _ in 0..4 {
        other.lockouts().record_auth_failure(SUBJECT).await.unwrap();
    }
    assert_eq!(lockout_state().await, LockoutState::Locked);
}

/// Concurrent requests share a query. A request after a commit sees this commit, even if a query is in progress.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_views_contain_earlier_commits(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let fixture = Fixture::new(database).await;
    let (store, user) = (&fixture.store, fixture.user("grace").await);
    let readers: Vec<_> = (0..8)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                for _ in 0..200 {
                    store.open_cached_view().await.unwrap();
                }
            })
        })
        .collect();
    let mut visible = store.open_cached_view().await.unwrap().access_control_version();
    for round in 0..50 {
        let update = UserChange { description: Some(round.to_string()), ..UserChange::default() };
        store.identities().update_user(&origin(), &user, &update).await.unwrap();
        let version = store.open_cached_view().await.unwrap().access_control_version();
        assert!(version > visible, "{round}");
        visible = version;
    }
    for reader in readers {
        reader.await.unwrap();
    }
}

/// Each statement fires one trigger, so that no other trigger hides a missing trigger.
#[rstest]
#[tokio::test]
async fn every_change_of_a_cached_row_increases_the_version(
    #[values(Database::Sqlite, Database::PostgreSql)] database: Database,
) {
    let scene = CacheFixture::before(&MetadataServer::start(database).await, KeyRemoved).await;
    let store = &scene.fixture.store;
    for (statement, increases) in [
        ("UPDATE domains SET name = 'renamed'", true),
        ("UPDATE projects SET masking = NOT masking", true),
        ("UPDATE users SET enabled = enabled", true),
        (
            "INSERT INTO access_keys (id, user_id, secret, created_at) SELECT 'AKNEW', user_id, secret, 1 FROM access_keys LIMIT 1",
            true,
        ),
        ("UPDATE access_keys SET enabled = NOT enabled WHERE id = 'AKNEW'", true),
        ("UPDATE access_keys SET last_used_at = 5", false),
        ("DELETE FROM access_keys WHERE id = 'AKNEW'", true),
        ("UPDATE temporary_keys SET revoked_at = 5", true),
        ("DELETE FROM temporary_keys", true),
        (
            "INSERT INTO tokens (hash, user_id, methods, issued_at, expires_at) SELECT x'01', user_id, methods, 1, 9 FROM tokens",
            false,
        ),
        ("UPDATE tokens SET revoked_at = 5 WHERE hash = x'01'", true),
        ("DELETE FROM tokens WHERE hash = x'01'", true),
        ("INSERT INTO members SELECT g.id, u.id FROM user_groups g, users u WHERE u.name = 'grace'", true),
        ("UPDATE members SET user_id = user_id", true),
        ("DELETE FROM members", true),
        (
            "INSERT INTO attachments (system_policy, group_id, created_at) SELECT 'TaurusDB FullAccess', id, 1 FROM user_groups",
            true,
        ),
        ("UPDATE attachments SET system_policy = 'TaurusDB ReadOnlyAccess'", true),
        ("DELETE FROM attachments", true),
        ("UPDATE user_groups SET name = 'renamed'", true),
        ("DELETE FROM user_groups", true),
        ("INSERT INTO policies SELECT 'p', id, 'p', 'role', '{}', '', 1, 1 FROM domains", false),
        ("UPDATE policies SET document = '{ }'", true),
        ("DELETE FROM policies", true),
        ("UPDATE instances SET enterprise_project_id = '1'", true),
        ("INSERT INTO tags SELECT id, 'key', 'value' FROM instances", true),
        ("UPDATE tags SET value = 'other'", true),
        ("DELETE FROM tags", true),
        (
            "INSERT INTO nodes (id, instance_id, name, role, url, host, created_at) SELECT 'n', instance_id, 'n', 'slave', url, host, 1 FROM nodes",
            true,
        ),
        ("UPDATE nodes SET url = url WHERE id = 'n'", true),
        ("DELETE FROM nodes WHERE id = 'n'", true),
        ("UPDATE tasks SET created_at = 5", false),
    ] {
        let before = store.open_cached_view().await.unwrap().access_control_version();
        scene.fixture.sql(statement).await;
        let has_increased = store.open_cached_view().await.unwrap().access_control_version() > before;
        assert_eq!(has_increased, increases, "{statement}");
    }
}
