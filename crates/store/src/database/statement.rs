//! A statement with its parameters, before it is known which database runs it.

use std::borrow::Cow;

use sqlx::query::Query;
use sqlx::{Encode, IntoArguments, Postgres, SqlSafeStr, SqlStr, Sqlite, Type};

use super::{Connection, Database, Row, Stored};
use crate::postgres::within;

/// A statement, and how its rows are read.
#[must_use]
pub(crate) struct Statement<'q, T> {
    text: SqlStr,
    parameters: Vec<Parameter<'q>>,
    read: fn(Row) -> Result<T, sqlx::Error>,
}

/// A parameter. One that is missing still has its type: PostgreSQL wants to know it.
pub(crate) enum Parameter<'q> {
    Whole(Option<i64>),
    Truth(Option<bool>),
    Text(Option<Cow<'q, str>>),
    Bytes(Option<Cow<'q, [u8]>>),
}

/// Where a statement runs: over any connection, by itself; or as a part of a transaction.
pub(crate) enum Target<'e> {
    Any(&'e Database),
    In(&'e mut Connection),
}

/// A statement whose rows have several columns, or none.
pub(crate) fn query<'q>(text: impl SqlSafeStr) -> Statement<'q, Row> {
    Statement { text: text.into_sql_str(), parameters: Vec::new(), read: Ok }
}

/// A statement whose rows have one column.
pub(crate) fn query_scalar<'q, T: Stored>(text: impl SqlSafeStr) -> Statement<'q, T> {
    Statement { text: text.into_sql_str(), parameters: Vec::new(), read: |row| row.try_get(0) }
}

/// A statement whose rows have two columns.
pub(crate) fn query_pair<'q, A: Stored, B: Stored>(text: impl SqlSafeStr) -> Statement<'q, (A, B)> {
    Statement { text: text.into_sql_str(), parameters: Vec::new(), read: |row| Ok((row.try_get(0)?, row.try_get(1)?)) }
}

impl<'q, T> Statement<'q, T> {
    /// The next parameter.
    pub(crate) fn bind(mut self, parameter: impl Into<Parameter<'q>>) -> Self {
        self.parameters.push(parameter.into());
        self
    }

    /// Runs it. Returns how many rows it wrote. By itself it takes its turn among those who write, as a transaction does.
    pub(crate) async fn execute<'e>(self, target: impl Into<Target<'e>>) -> Result<u64, sqlx::Error> {
        match target.into() {
            Target::Any(Database::Sqlite(database)) => {
                self.bound::<Sqlite>().execute(&database.pool).await.map(|done| done.rows_affected())
            }
            Target::Any(Database::Postgres(database)) => {
                let mut transaction = database.begin_writing().await?;
                let done = within(self.bound::<Postgres>().execute(&mut *transaction)).await?;
                transaction.commit().await?;
                Ok(done.rows_affected())
            }
            Target::In(Connection::Sqlite(transaction)) => {
                self.bound::<Sqlite>().execute(&mut **transaction).await.map(|done| done.rows_affected())
            }
            Target::In(Connection::Postgres(transaction)) => {
                within(self.bound::<Postgres>().execute(&mut **transaction)).await.map(|done| done.rows_affected())
            }
        }
    }

    /// All its rows.
    pub(crate) async fn fetch_all<'e>(self, target: impl Into<Target<'e>>) -> Result<Vec<T>, sqlx::Error> {
        let read = self.read;
        let rows: Vec<Row> = match target.into() {
            Target::Any(Database::Sqlite(database)) => {
                rows(self.bound::<Sqlite>().fetch_all(&database.pool).await?, Row::Sqlite)
            }
            Target::Any(Database::Postgres(database)) => {
                rows(within(self.bound::<Postgres>().fetch_all(&database.pool)).await?, Row::Postgres)
            }
            Target::In(Connection::Sqlite(transaction)) => {
                rows(self.bound::<Sqlite>().fetch_all(&mut **transaction).await?, Row::Sqlite)
            }
            Target::In(Connection::Postgres(transaction)) => {
                rows(within(self.bound::<Postgres>().fetch_all(&mut **transaction)).await?, Row::Postgres)
            }
        };
        rows.into_iter().map(read).collect()
    }

    /// Its first row, if there is one.
    pub(crate) async fn fetch_optional<'e>(self, target: impl Into<Target<'e>>) -> Result<Option<T>, sqlx::Error> {
        let read = self.read;
        let row = match target.into() {
            Target::Any(Database::Sqlite(database)) => {
                self.bound::<Sqlite>().fetch_optional(&database.pool).await?.map(Row::Sqlite)
            }
            Target::Any(Database::Postgres(database)) => {
                within(self.bound::<Postgres>().fetch_optional(&database.pool)).await?.map(Row::Postgres)
            }
            Target::In(Connection::Sqlite(transaction)) => {
                self.bound::<Sqlite>().fetch_optional(&mut **transaction).await?.map(Row::Sqlite)
            }
            Target::In(Connection::Postgres(transaction)) => {
                within(self.bound::<Postgres>().fetch_optional(&mut **transaction)).await?.map(Row::Postgres)
            }
        };
        row.map(read).transpose()
    }

    /// Its first row, which must be there.
    pub(crate) async fn fetch_one<'e>(self, target: impl Into<Target<'e>>) -> Result<T, sqlx::Error> {
        self.fetch_optional(target).await?.ok_or(sqlx::Error::RowNotFound)
    }

    fn bound<D: Dialect>(self) -> Query<'q, D, D::Arguments>
    where
        D::Arguments: IntoArguments<D>,
        Option<i64>: Encode<'q, D> + Type<D>,
        Option<bool>: Encode<'q, D> + Type<D>,
        Option<String>: Encode<'q, D> + Type<D>,
        Option<Vec<u8>>: Encode<'q, D> + Type<D>,
    {
        self.parameters.into_iter().fold(sqlx::query(self.text), |query, parameter| match parameter {
            Parameter::Whole(whole) => query.bind(whole),
            Parameter::Truth(truth) => query.bind(truth),
            Parameter::Text(text) => query.bind(text.map(|text| D::storable(text.into_owned()))),
            Parameter::Bytes(bytes) => query.bind(bytes.map(Cow::into_owned)),
        })
    }
}

/// What a database makes of a parameter.
trait Dialect: sqlx::Database {
    /// A text as it can be kept.
    fn storable(text: String) -> String;
}

impl Dialect for Sqlite {
    fn storable(text: String) -> String {
        text
    }
}

impl Dialect for Postgres {
    /// PostgreSQL keeps any character but U+0000; its picture stands for it.
    fn storable(text: String) -> String {
        if text.contains('\0') { text.replace('\0', "\u{2400}") } else { text }
    }
}

fn rows<R>(found: Vec<R>, row: fn(R) -> Row) -> Vec<Row> {
    found.into_iter().map(row).collect()
}

impl<'e> From<&'e Database> for Target<'e> {
    fn from(database: &'e Database) -> Self {
        Self::Any(database)
    }
}

impl<'e> From<&'e mut Connection> for Target<'e> {
    fn from(connection: &'e mut Connection) -> Self {
        Self::In(connection)
    }
}

/// How a type becomes a parameter, with and without its being there.
macro_rules! parameters {
    ($($type:ty => $kind:ident($value:ident) $become:expr;)*) => {$(
        impl<'q> From<$type> for Parameter<'q> {
            fn from($value: $type) -> Self {
                Self::$kind(Some($become))
            }
        }

        impl<'q> From<Option<$type>> for Parameter<'q> {
            fn from(value: Option<$type>) -> Self {
                Self::$kind(value.map(|$value: $type| $become))
            }
        }
    )*};
}

parameters! {
    i64 => Whole(value) value;
    &'q i64 => Whole(value) *value;
    u32 => Whole(value) value.into();
    bool => Truth(value) value;
    String => Text(value) value.into();
    &'q String => Text(value) value.into();
    &'q str => Text(value) value.into();
    Vec<u8> => Bytes(value) value.into();
    &'q [u8] => Bytes(value) value.into();
}

impl<'q> From<&'q Option<String>> for Parameter<'q> {
    fn from(value: &'q Option<String>) -> Self {
        value.as_ref().into()
    }
}
