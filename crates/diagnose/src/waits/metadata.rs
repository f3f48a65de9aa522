//! Metadata locks: objects, and modes of MySQL and MariaDB.

use std::fmt;

use serde::{Serialize, Serializer};

/// Status of a metadata lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LockStatus {
    /// The session holds the lock.
    Granted,
    /// The session waits for the lock.
    Pending,
}

impl LockStatus {
    /// Parses `LOCK_STATUS`. `None` for transitional values such as `VICTIM`, `TIMEOUT` and `PRE_ACQUIRE_NOTIFY`.
    #[must_use]
    pub fn parse(printed: &str) -> Option<Self> {
        match printed {
            "GRANTED" => Some(Self::Granted),
            "PENDING" => Some(Self::Pending),
            _ => None,
        }
    }
}

/// Object of a metadata lock.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MetadataObject {
    /// Kind of object.
    pub kind: MetadataKind,
    /// Schema; `None` for objects outside of schemas.
    pub schema: Option<String>,
    /// Name; `None` for a schema and for server-wide scopes.
    pub name: Option<String>,
}

impl MetadataObject {
    /// Creates an object from the type, schema and name columns of `metadata_locks` or `metadata_lock_info`.
    ///
    /// Empty text becomes `None`. MariaDB reports the name of a user lock in the schema column.
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

/// Kind of object.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MetadataKind {
    /// Global scope: `FLUSH TABLES WITH READ LOCK` of MySQL, which blocks changes.
    Global,
    /// Commit scope: `FLUSH TABLES WITH READ LOCK` of MySQL, which blocks commits.
    Commit,
    /// `LOCK INSTANCE FOR BACKUP` of MySQL; all global locks of MariaDB.
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
    /// User lock, taken with `GET_LOCK`.
    UserLock,
    /// Any other kind, with the server's name in lower case.
    Other(Box<str>),
}

/// Kinds by the names in `performance_schema` (both servers), then in `metadata_lock_info`.
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
    /// Parses `OBJECT_TYPE` of `metadata_locks`, or `LOCK_TYPE` of `metadata_lock_info`.
    #[must_use]
    pub fn parse(printed: &str) -> Self {
        KINDS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(printed))
            .map_or_else(|| Self::Other(printed.to_ascii_lowercase().into()), |(_, kind)| kind.clone())
    }
}

/// Formats the kind as text, such as `user lock`.
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
        /// Mode of a metadata lock. The conflicts are in `compatibility`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum MetadataMode { $($(#[$about])* $variant),+ }

        impl MetadataMode {
            /// All modes.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Name used by the servers, such as `SHARED_READ`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }
    };
}

modes! {
    /// Change of an object within the scope: server, schema, backup.
    IntentionExclusive = "INTENTION_EXCLUSIVE",
    /// Access to the definition.
    Shared = "SHARED",
    /// Like `Shared`, but does not queue behind a pending `Exclusive`.
    SharedHighPrio = "SHARED_HIGH_PRIO",
    /// Read of rows.
    SharedRead = "SHARED_READ",
    /// Change of rows.
    SharedWrite = "SHARED_WRITE",
    /// Change of rows with low priority. MySQL only.
    SharedWriteLowPrio = "SHARED_WRITE_LOW_PRIO",
    /// Preparation of a definition change.
    SharedUpgradable = "SHARED_UPGRADABLE",
    /// `LOCK TABLES … READ`.
    SharedReadOnly = "SHARED_READ_ONLY",
    /// Definition change that allows reads. Also MariaDB's user locks.
    SharedNoWrite = "SHARED_NO_WRITE",
    /// `LOCK TABLES … WRITE`.
    SharedNoReadWrite = "SHARED_NO_READ_WRITE",
    /// Definition change.
    Exclusive = "EXCLUSIVE",
    /// MariaDB's `BACKUP STAGE START`.
    BackupStart = "BACKUP_START",
    /// MariaDB's `BACKUP STAGE FLUSH`.
    BackupFlush = "BACKUP_FLUSH",
    /// `BACKUP STAGE FLUSH`, which waits for changes of non-transactional tables.
    BackupWaitFlush = "BACKUP_WAIT_FLUSH",
    /// `BACKUP STAGE BLOCK_DDL`.
    BackupWaitDdl = "BACKUP_WAIT_DDL",
    /// `BACKUP STAGE BLOCK_COMMIT`.
    BackupWaitCommit = "BACKUP_WAIT_COMMIT",
    /// First step of `FLUSH TABLES WITH READ LOCK`, which blocks changes.
    BackupFtwrl1 = "BACKUP_FTWRL1",
    /// Second step of `FLUSH TABLES WITH READ LOCK`, which blocks commits.
    BackupFtwrl2 = "BACKUP_FTWRL2",
    /// Change of rows in non-transactional tables.
    BackupDml = "BACKUP_DML",
    /// Change of rows in transactional tables.
    BackupTransDml = "BACKUP_TRANS_DML",
    /// Change of rows in system tables.
    BackupSysDml = "BACKUP_SYS_DML",
    /// Definition change.
    BackupDdl = "BACKUP_DDL",
    /// Temporary block of definition changes.
    BackupBlockDdl = "BACKUP_BLOCK_DDL",
    /// Copy of rows by `ALTER TABLE`.
    BackupAlterCopy = "BACKUP_ALTER_COPY",
    /// Commit of a transaction.
    BackupCommit = "BACKUP_COMMIT",
}

impl MetadataMode {
    /// Parses `LOCK_TYPE` of `metadata_locks`, or `LOCK_MODE` of `metadata_lock_info`, which has the prefix `MDL_`.
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
