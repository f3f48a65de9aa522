//! Objects and modes of metadata locks in MySQL and MariaDB.

use clew_model::LocalizedText;

clew_model::named_enum! {
    /// Status of a metadata lock, named as in the column `LOCK_STATUS` of the table `metadata_locks`.
    /// Omits the transitional lock states, such as `VICTIM`, `TIMEOUT` and `PRE_ACQUIRE_NOTIFY`.
    pub enum LockStatus {
        /// The session holds the lock.
        Granted = "GRANTED",
        /// The session waits for the lock.
        Pending = "PENDING",
    }
}

/// Object of a metadata lock.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MetadataLockObject {
    /// Kind of object.
    pub kind: MetadataLockObjectKind,
    /// Schema of the object, or `None` for objects that do not belong to a schema.
    pub schema: Option<String>,
    /// Object name, or `None` if the lock applies to a whole schema or to the whole server.
    pub name: Option<String>,
}

impl MetadataLockObject {
    /// Creates a lock object from the columns of `metadata_locks` or `metadata_lock_info`.
    ///
    /// Empty strings become `None`.
    /// MariaDB reports the name of a user lock in `schema` instead of `name`.
    #[must_use]
    pub fn new(kind: MetadataLockObjectKind, schema: Option<String>, name: Option<String>) -> Self {
        let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
        let (schema, name) = (filled(schema), filled(name));
        match kind {
            MetadataLockObjectKind::UserLock => Self { kind, name: name.or(schema), schema: None },
            _ => Self { kind, schema, name },
        }
    }
}

/// `$server_names` contains the object kind's names in `performance_schema` and `metadata_lock_info`, in this order.
macro_rules! object_kinds {
    ($($(#[$about:meta])* $variant:ident = $english:literal, $chinese:literal, $server_names:expr;)+) => {
        /// Kind of object that a metadata lock protects.
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum MetadataLockObjectKind {
            $($(#[$about])* $variant,)+
            /// Any other object kind. The value is the server's name for the object type, in lower case.
            Other(Box<str>),
        }

        impl MetadataLockObjectKind {
            /// Parses a value of `metadata_locks.OBJECT_TYPE` or `metadata_lock_info.LOCK_TYPE`.
            #[must_use]
            pub fn parse(printed: &str) -> Self {
                $(if $server_names.iter().any(|name| name.eq_ignore_ascii_case(printed)) {
                    return Self::$variant;
                })+
                Self::Other(printed.to_ascii_lowercase().into())
            }

            /// Returns the name of the object kind in English and Chinese.
            #[must_use]
            pub fn name(&self) -> LocalizedText {
                match self {
                    $(Self::$variant => LocalizedText::from_static($english, $chinese),)+
                    Self::Other(name) => LocalizedText::untranslated(name.to_string()),
                }
            }
        }
    };
}

object_kinds! {
    /// Server-wide scope, locked by `FLUSH TABLES WITH READ LOCK` on MySQL to block data changes.
    Global = "global read lock", "全局读锁", ["GLOBAL", "Global read lock"];
    /// Commit scope, locked by `FLUSH TABLES WITH READ LOCK` on MySQL to block commits.
    Commit = "commit lock", "提交锁", ["COMMIT", "Commit lock"];
    /// Backup scope, locked by `LOCK INSTANCE FOR BACKUP` on MySQL and used for all global locks on MariaDB.
    Backup = "backup lock", "备份锁", ["BACKUP LOCK", "BACKUP"];
    /// A schema.
    Schema = "schema", "库元数据锁", ["SCHEMA", "Schema metadata lock"];
    /// A table or view.
    Table = "table", "表元数据锁", ["TABLE", "Table metadata lock"];
    /// A stored function.
    Function = "function", "存储函数元数据锁", ["FUNCTION", "Stored function metadata lock"];
    /// A stored procedure.
    Procedure = "procedure", "存储过程元数据锁", ["PROCEDURE", "Stored procedure metadata lock"];
    /// A trigger.
    Trigger = "trigger", "触发器元数据锁", ["TRIGGER", "Trigger metadata lock"];
    /// A scheduled event.
    Event = "event", "事件元数据锁", ["EVENT", "Event metadata lock"];
    /// A tablespace.
    Tablespace = "tablespace", "表空间锁", ["TABLESPACE", "Tablespace lock"];
    /// User lock, acquired with `GET_LOCK`.
    UserLock = "user lock", "用户锁", ["USER LEVEL LOCK", "User lock"];
}

clew_model::named_enum! {
    /// Mode of a metadata lock, named as in MySQL's table `metadata_locks`.
    #[derive(PartialOrd, Ord)]
    pub enum MetadataLockMode {
        /// Mode of the lock that a statement holds on an enclosing scope, such as a schema, while modifying an object.
        IntentionExclusive = "INTENTION_EXCLUSIVE",
        /// Lock mode for accessing an object's definition.
        Shared = "SHARED",
        /// Variant of `Shared` whose lock requests do not wait for pending `Exclusive` requests.
        SharedHighPrio = "SHARED_HIGH_PRIO",
        /// Lock mode for reading rows.
        SharedRead = "SHARED_READ",
        /// Lock mode for modifying rows.
        SharedWrite = "SHARED_WRITE",
        /// Lock mode for low-priority row modifications (MySQL only).
        SharedWriteLowPrio = "SHARED_WRITE_LOW_PRIO",
        /// Lock mode that `ALTER TABLE` acquires first and later upgrades to a stronger mode.
        SharedUpgradable = "SHARED_UPGRADABLE",
        /// Lock mode of `LOCK TABLES … READ`.
        SharedReadOnly = "SHARED_READ_ONLY",
        /// Lock mode for DDL operations that allow concurrent reads, and for user locks on MariaDB.
        SharedNoWrite = "SHARED_NO_WRITE",
        /// Lock mode of `LOCK TABLES … WRITE`.
        SharedNoReadWrite = "SHARED_NO_READ_WRITE",
        /// Lock mode for DDL operations.
        Exclusive = "EXCLUSIVE",
        /// Lock mode of MariaDB's `BACKUP STAGE START`.
        BackupStart = "BACKUP_START",
        /// Lock mode of MariaDB's `BACKUP STAGE FLUSH`.
        BackupFlush = "BACKUP_FLUSH",
        /// Lock mode that `BACKUP STAGE BLOCK_DDL` uses to wait for running writes to non-transactional tables.
        BackupWaitFlush = "BACKUP_WAIT_FLUSH",
        /// Lock mode of MariaDB's `BACKUP STAGE BLOCK_DDL`.
        BackupWaitDdl = "BACKUP_WAIT_DDL",
        /// Lock mode of MariaDB's `BACKUP STAGE BLOCK_COMMIT`.
        BackupWaitCommit = "BACKUP_WAIT_COMMIT",
        /// Lock mode that MariaDB uses to block data changes at the start of `FLUSH TABLES WITH READ LOCK`.
        BackupFtwrl1 = "BACKUP_FTWRL1",
        /// Lock mode that blocks commits in the second step of `FLUSH TABLES WITH READ LOCK`.
        BackupFtwrl2 = "BACKUP_FTWRL2",
        /// Lock mode for row modifications in non-transactional tables.
        BackupDml = "BACKUP_DML",
        /// Lock mode for row modifications in transactional tables.
        BackupTransDml = "BACKUP_TRANS_DML",
        /// Lock mode for row modifications in system tables.
        BackupSysDml = "BACKUP_SYS_DML",
        /// Lock mode for DDL operations.
        BackupDdl = "BACKUP_DDL",
        /// Lock mode in which MariaDB blocks new DDL operations while it enables DDL logging for a backup.
        BackupBlockDdl = "BACKUP_BLOCK_DDL",
        /// Lock mode that MariaDB uses while `ALTER TABLE` copies rows.
        BackupAlterCopy = "BACKUP_ALTER_COPY",
        /// Lock mode for committing a transaction.
        BackupCommit = "BACKUP_COMMIT",
    }
}

impl MetadataLockMode {
    /// Parses a value of `metadata_locks.LOCK_TYPE` or `metadata_lock_info.LOCK_MODE`.
    ///
    /// The values of `metadata_lock_info.LOCK_MODE` have the prefix `MDL_`.
    #[must_use]
    pub fn parse(printed: &str) -> Option<Self> {
        Self::from_name(printed.strip_prefix("MDL_").unwrap_or(printed))
    }
}
