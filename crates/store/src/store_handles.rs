//! Handle types that group the operations of a [`Store`] by topic. A handle only borrows the store.

use crate::store::Store;

macro_rules! handles {
    ($($(#[$doc:meta])* $accessor:ident: $handle:ident,)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy)]
            pub struct $handle<'a> {
                pub(crate) store: &'a Store,
            }
        )*

        impl Store {
            $(
                $(#[$doc])*
                #[must_use]
                pub fn $accessor(&self) -> $handle<'_> {
                    $handle { store: self }
                }
            )*
        }
    };
}

handles! {
    /// Session collection tasks.
    tasks: TaskStore,
    /// Network zones and the heartbeats of their workers.
    zones: ZoneStore,
    /// Instances, including their nodes, tags, slow-session thresholds and login retry delays.
    instances: InstanceStore,
    /// Domains, projects and enterprise projects.
    tenants: TenantStore,
    /// Users, groups, access keys and tokens.
    identities: IdentityStore,
    /// Failed authentication attempts and lockouts.
    lockouts: LockoutStore,
    /// Policies and their attachments to users and groups.
    policies: PolicyStore,
    /// Records of killed sessions, and the queue of intelligent kills (kills for which Clew selects the sessions).
    kills: KillStore,
    /// Kill tasks and their leases.
    kill_tasks: KillTaskStore,
    /// The audit log.
    audit: AuditStore,
}
