//! Metadata locks: what they are on, and their modes in both families of servers.

use std::fmt;

use serde::{Serialize, Serializer};

/// Whether a metadata lock is held or asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LockStatus {
    /// Held.
    Granted,
    /// Asked for.
    Pending,
}

impl LockStatus {
    /// From `LOCK_STATUS`. States in between (`VICTIM`, `TIMEOUT`, `KILLED`, `PRE_ACQUIRE_NOTIFY`, …) are neither.
    #[must_use]
    pub fn parse(printed: &str) -> Option<Self> {
        match printed {
            "GRANTED" => Some(Self::Granted),
            "PENDING" => Some(Self::Pending),
            _ => None,
        }
    }
}

/// What a metadata lock is on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MetadataObject {
    /// Kind of object.
    pub kind: MetadataKind,
    /// Its schema; nothing for objects outside any.
    pub schema: Option<String>,
    /// Its name; nothing for a schema, and for what there is only one of.
    pub name: Option<String>,
}

impl MetadataObject {
    /// From the columns for type, schema and name, of either table. Empty text is nothing; MariaDB puts the name of a user lock
    /// into the schema's column.
    #[must_use]
    pub fn new(kind: MetadataKind, schema: Option<String>, name: Option<String>) -> Self {
        let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
        let (schema, name) = (filled(schema), filled(name));
        match kind {
            MetadataKind::UserLock => Self { kind, name: name.or(schema), schema: None },
            _ => Self { kind, schema, name },
        }
    }
}

/// Kinds of objects.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MetadataKind {
    /// The server as a whole: MySQL's `FLUSH TABLES WITH READ LOCK` against changes.
    Global,
    /// MySQL's `FLUSH TABLES WITH READ LOCK` against commits.
    Commit,
    /// `LOCK INSTANCE FOR BACKUP` of MySQL; every global lock of MariaDB.
    Backup,
    /// A schema.
    Schema,
    /// A table or view.
    Table,
    /// A stored function.
    Function,
    /// A stored procedure.
    Procedure,
    /// A trigger.
    Trigger,
    /// A scheduled event.
    Event,
    /// A tablespace.
    Tablespace,
    /// A name that `GET_LOCK` locked.
    UserLock,
    /// Another kind, by the server's name for it, in lower case.
    Other(Box<str>),
}

/// The server's names: of `performance_schema` (both families), then of `metadata_lock_info`.
const KINDS: [(&str, MetadataKind); 22] = [
    ("GLOBAL", MetadataKind::Global),
    ("COMMIT", MetadataKind::Commit),
    ("BACKUP LOCK", MetadataKind::Backup),
    ("BACKUP", MetadataKind::Backup),
    ("SCHEMA", MetadataKind::Schema),
    ("TABLE", MetadataKind::Table),
    ("FUNCTION", MetadataKind::Function),
    ("PROCEDURE", MetadataKind::Procedure),
    ("TRIGGER", MetadataKind::Trigger),
    ("EVENT", MetadataKind::Event),
    ("TABLESPACE", MetadataKind::Tablespace),
    ("USER LEVEL LOCK", MetadataKind::UserLock),
    ("Global read lock", MetadataKind::Global),
    ("Commit lock", MetadataKind::Commit),
    ("Schema metadata lock", MetadataKind::Schema),
    ("Table metadata lock", MetadataKind::Table),
    ("Stored function metadata lock", MetadataKind::Function),
    ("Stored procedure metadata lock", MetadataKind::Procedure),
    ("Trigger metadata lock", MetadataKind::Trigger),
    ("Event metadata lock", MetadataKind::Event),
    ("Tablespace lock", MetadataKind::Tablespace),
    ("User lock", MetadataKind::UserLock),
];

impl MetadataKind {
    /// From `OBJECT_TYPE` of `metadata_locks`, or `LOCK_TYPE` of `metadata_lock_info`.
    #[must_use]
    pub fn parse(printed: &str) -> Self {
        KINDS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(printed))
            .map_or_else(|| Self::Other(printed.to_ascii_lowercase().into()), |(_, kind)| kind.clone())
    }
}

/// The kind in words: `user lock`.
impl fmt::Display for MetadataKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Global => "global read lock",
            Self::Commit => "commit lock",
            Self::Backup => "backup lock",
            Self::Schema => "schema",
            Self::Table => "table",
            Self::Function => "function",
            Self::Procedure => "procedure",
            Self::Trigger => "trigger",
            Self::Event => "event",
            Self::Tablespace => "tablespace",
            Self::UserLock => "user lock",
            Self::Other(name) => name,
        })
    }
}

macro_rules! modes {
    ($($(#[$about:meta])* $variant:ident = $name:literal),+ $(,)?) => {
        /// How much a metadata lock excludes. Which exclude which: `compatibility`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum MetadataMode { $($(#[$about])* $variant),+ }

        impl MetadataMode {
            /// Every mode.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The servers' name: `SHARED_READ`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }
    };
}

modes! {
    /// Something below the object is changed. On scopes only: server, schema, backup, …
    IntentionExclusive = "INTENTION_EXCLUSIVE",
    /// The object exists and is looked at.
    Shared = "SHARED",
    /// As `Shared`, and does not queue behind a waiting `Exclusive`.
    SharedHighPrio = "SHARED_HIGH_PRIO",
    /// Rows are read.
    SharedRead = "SHARED_READ",
    /// Rows are changed.
    SharedWrite = "SHARED_WRITE",
    /// Rows are changed, with low priority. MySQL only.
    SharedWriteLowPrio = "SHARED_WRITE_LOW_PRIO",
    /// A change of definition is prepared.
    SharedUpgradable = "SHARED_UPGRADABLE",
    /// `LOCK TABLES … READ`.
    SharedReadOnly = "SHARED_READ_ONLY",
    /// A change of definition that lets rows be read. MariaDB's user locks, too.
    SharedNoWrite = "SHARED_NO_WRITE",
    /// `LOCK TABLES … WRITE`.
    SharedNoReadWrite = "SHARED_NO_READ_WRITE",
    /// The definition is changed.
    Exclusive = "EXCLUSIVE",
    /// MariaDB's `BACKUP STAGE START`.
    BackupStart = "BACKUP_START",
    /// MariaDB's `BACKUP STAGE FLUSH`.
    BackupFlush = "BACKUP_FLUSH",
    /// `BACKUP STAGE FLUSH` waits for changes of tables without transactions.
    BackupWaitFlush = "BACKUP_WAIT_FLUSH",
    /// `BACKUP STAGE BLOCK_DDL`.
    BackupWaitDdl = "BACKUP_WAIT_DDL",
    /// `BACKUP STAGE BLOCK_COMMIT`.
    BackupWaitCommit = "BACKUP_WAIT_COMMIT",
    /// `FLUSH TABLES WITH READ LOCK`, first step: against changes.
    BackupFtwrl1 = "BACKUP_FTWRL1",
    /// `FLUSH TABLES WITH READ LOCK`, second step: against commits.
    BackupFtwrl2 = "BACKUP_FTWRL2",
    /// Rows of tables without transactions are changed.
    BackupDml = "BACKUP_DML",
    /// Rows of tables with transactions are changed.
    BackupTransDml = "BACKUP_TRANS_DML",
    /// Rows of system tables are changed.
    BackupSysDml = "BACKUP_SYS_DML",
    /// A definition is changed.
    BackupDdl = "BACKUP_DDL",
    /// Definitions must not change for a while.
    BackupBlockDdl = "BACKUP_BLOCK_DDL",
    /// `ALTER TABLE` copies rows.
    BackupAlterCopy = "BACKUP_ALTER_COPY",
    /// A transaction commits.
    BackupCommit = "BACKUP_COMMIT",
}

impl MetadataMode {
    /// From `LOCK_TYPE` of `metadata_locks`, or `LOCK_MODE` of `metadata_lock_info`, which begins with `MDL_`.
    #[must_use]
    pub fn parse(printed: &str) -> Option<Self> {
        let name = printed.strip_prefix("MDL_").unwrap_or(printed);
        Self::ALL.iter().copied().find(|mode| mode.name() == name)
    }
}

impl Serialize for MetadataMode {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}
