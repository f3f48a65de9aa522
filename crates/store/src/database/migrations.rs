//! Embeds the SQL migration files in the executable.
//!
//! Clew does not use the macro `sqlx::migrate!`, because the macro requires a second build of sqlx and SQLite.

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

macro_rules! embed_migrations {
    ($directory:literal, [$($file:literal),+ $(,)?]) => {
        &[$(($file, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/", $directory, "/", $file)))),+]
    };
}

pub(crate) use embed_migrations;

/// File name (such as `0001_initial.sql`) and SQL text of a migration.
pub(crate) type MigrationFile = (&'static str, &'static str);

pub(crate) fn new_migrator(files: &[MigrationFile]) -> Migrator {
    Migrator::with_migrations(files.iter().filter_map(|(name, sql)| parse_migration(name, sql)).collect())
}

fn parse_migration(name: &str, sql: &'static str) -> Option<Migration> {
    let (version, description) = name.strip_suffix(".sql")?.split_once('_')?;
    let description = description.replace('_', " ").into();
    Some(Migration::new(version.parse().ok()?, description, MigrationType::Simple, sql.into_sql_str(), false))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{postgres, sqlite};

    #[test]
    fn every_migration_file_is_embedded() {
        for (directory, files) in [("sqlite", sqlite::MIGRATION_FILES), ("postgres", postgres::MIGRATION_FILES)] {
            let path = format!("{}/migrations/{directory}", env!("CARGO_MANIFEST_DIR"));
            let entries = std::fs::read_dir(path).unwrap();
            let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            let embedded: Vec<_> = files.iter().map(|(name, _)| (*name).to_owned()).collect();
            assert_eq!(embedded, names, "{directory}");
            assert_eq!(new_migrator(files).iter().count(), names.len(), "{directory}");
        }
    }

    #[test]
    fn version_and_description_are_parsed_from_the_file_name() {
        let migration = parse_migration("0013_login_backoffs.sql", "SELECT 1").unwrap();
        assert_eq!((migration.version, migration.description.as_ref()), (13, "login backoffs"));
        assert!(parse_migration("login_backoffs.sql", "SELECT 1").is_none());
    }
}
