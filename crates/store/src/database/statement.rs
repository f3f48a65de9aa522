//! Builds and executes parameterized SQL statements for SQLite and PostgreSQL.

use std::borrow::Cow;

use clew_model::{
    AccessKeyId, DomainId, GroupId, InstanceId, NetworkZone, NodeId, PolicyId, ProjectId, RequestId, UserId,
};
use futures_util::FutureExt as _;
use sqlx::query::Query;
use sqlx::{Encode, IntoArguments, Postgres, SqlSafeStr, SqlStr, Sqlite, Type};

use crate::database::row::DriverRow;
use crate::database::{Database, FromOwnedRow, Row, Transaction};
use crate::error::StoreError;
use crate::postgres::run_with_statement_timeout;

#[must_use]
pub(crate) struct Statement<'q, T> {
    action: &'static str,
    sql: SqlStr,
    parameters: Vec<Parameter<'q>>,
    decode: fn(Row) -> Result<T, StoreError>,
}

/// Even a `NULL` parameter has a type, because PostgreSQL requires typed parameters.
#[derive(Clone)]
pub(crate) enum Parameter<'q> {
    Integer(Option<i64>),
    Bool(Option<bool>),
    Text(Option<Cow<'q, str>>),
    Bytes(Option<Cow<'q, [u8]>>),
}

pub(crate) enum StatementExecutor<'e> {
    Pool(&'e Database),
    Tx(&'e mut Transaction),
}

/// `action` describes the statement in error messages, for example "list the members of a group".
pub(crate) fn query<'q>(
    action: &'static str,
    sql: impl SqlSafeStr,
    parameters: impl IntoIterator<Item = Parameter<'q>>,
) -> Statement<'q, Row> {
    query_as(action, sql, parameters)
}

pub(crate) fn query_as<'q, T: FromOwnedRow>(
    action: &'static str,
    sql: impl SqlSafeStr,
    parameters: impl IntoIterator<Item = Parameter<'q>>,
) -> Statement<'q, T> {
    let parameters = parameters.into_iter().collect();
    Statement { action, sql: sql.into_sql_str(), parameters, decode: T::from_owned_row }
}

macro_rules! run_query {
    ($statement:ident, $executor:ident, $fetch:ident, |$rows:ident, $wrap:ident| $wrapped:expr) => {
        match $executor {
            StatementExecutor::Pool(Database::Sqlite(database)) => {
                let ($rows, $wrap) =
                    ($statement.into_query::<Sqlite>().$fetch(&database.pool).await?, DriverRow::Sqlite);
                Ok($wrapped)
            }
            StatementExecutor::Tx(Transaction::Sqlite(transaction)) => {
                let ($rows, $wrap) =
                    ($statement.into_query::<Sqlite>().$fetch(&mut **transaction).await?, DriverRow::Sqlite);
                Ok($wrapped)
            }
            StatementExecutor::Pool(Database::Postgres(database)) => {
                let fetch = $statement.into_query::<Postgres>().$fetch(&database.pool);
                let ($rows, $wrap) = (run_with_statement_timeout(fetch).await?, DriverRow::Postgres);
                Ok($wrapped)
            }
            StatementExecutor::Tx(Transaction::Postgres(transaction)) => {
                let fetch = $statement.into_query::<Postgres>().$fetch(&mut **transaction);
                let ($rows, $wrap) = (run_with_statement_timeout(fetch).await?, DriverRow::Postgres);
                Ok($wrapped)
            }
        }
    };
}

// The futures of the database driver are boxed, here and in the transactions of `Database`.
// Otherwise, the compiler proves for each HTTP handler again that they are `Send`, which makes the build of `clew-api` slower.
impl<'q, T> Statement<'q, T> {
    pub(crate) fn action(&self) -> &'static str {
        self.action
    }

    /// On PostgreSQL, acquires the write lock before it executes a statement outside a transaction.
    pub(crate) async fn execute<'e>(self, executor: impl Into<StatementExecutor<'e>>) -> Result<u64, StoreError> {
        let action = self.action;
        self.try_execute(executor.into()).boxed().await.map_err(StoreError::database_error(action))
    }

    /// Returns [`StoreError::AlreadyExists`] if the row violates a unique constraint.
    pub(crate) async fn execute_insert<'e>(
        self,
        executor: impl Into<StatementExecutor<'e>>,
        what: &'static str,
        name: &str,
    ) -> Result<(), StoreError> {
        let action = self.action;
        self.try_execute(executor.into()).boxed().await.map(drop).map_err(|error| match &error {
            sqlx::Error::Database(cause) if cause.is_unique_violation() => {
                StoreError::AlreadyExists { what, name: name.to_owned() }
            }
            _ => StoreError::database_error(action)(error),
        })
    }

    async fn try_execute(self, executor: StatementExecutor<'_>) -> Result<u64, sqlx::Error> {
        match executor {
            StatementExecutor::Pool(Database::Sqlite(database)) => {
                self.into_query::<Sqlite>().execute(&database.pool).await.map(|done| done.rows_affected())
            }
            StatementExecutor::Pool(Database::Postgres(database)) => {
                let mut transaction = database.begin_write_transaction().await?;
                let done = run_with_statement_timeout(self.into_query::<Postgres>().execute(&mut *transaction)).await?;
                transaction.commit().await?;
                Ok(done.rows_affected())
            }
            StatementExecutor::Tx(Transaction::Sqlite(transaction)) => {
                self.into_query::<Sqlite>().execute(&mut **transaction).await.map(|done| done.rows_affected())
            }
            StatementExecutor::Tx(Transaction::Postgres(transaction)) => {
                run_with_statement_timeout(self.into_query::<Postgres>().execute(&mut **transaction))
                    .await
                    .map(|done| done.rows_affected())
            }
        }
    }

    pub(crate) async fn fetch_all<'e>(self, executor: impl Into<StatementExecutor<'e>>) -> Result<Vec<T>, StoreError> {
        let (action, decode) = (self.action, self.decode);
        let rows = self.fetch_rows(executor.into()).boxed().await.map_err(StoreError::database_error(action))?;
        rows.into_iter().map(|row| decode(Row::new(action, row))).collect()
    }

    async fn fetch_rows(self, executor: StatementExecutor<'_>) -> Result<Vec<DriverRow>, sqlx::Error> {
        run_query!(self, executor, fetch_all, |rows, wrap| rows.into_iter().map(wrap).collect())
    }

    pub(crate) async fn fetch_optional<'e>(
        self,
        executor: impl Into<StatementExecutor<'e>>,
    ) -> Result<Option<T>, StoreError> {
        let (action, decode) = (self.action, self.decode);
        let row = self.fetch_row(executor.into()).boxed().await.map_err(StoreError::database_error(action))?;
        row.map(|row| decode(Row::new(action, row))).transpose()
    }

    async fn fetch_row(self, executor: StatementExecutor<'_>) -> Result<Option<DriverRow>, sqlx::Error> {
        run_query!(self, executor, fetch_optional, |row, wrap| row.map(wrap))
    }

    pub(crate) async fn fetch_one<'e>(self, executor: impl Into<StatementExecutor<'e>>) -> Result<T, StoreError> {
        let action = self.action;
        let row = self.fetch_optional(executor).await?;
        row.ok_or(sqlx::Error::RowNotFound).map_err(StoreError::database_error(action))
    }

    fn into_query<D: SqlDialect>(self) -> Query<'q, D, D::Arguments>
    where
        D::Arguments: IntoArguments<D>,
        Option<i64>: Encode<'q, D> + Type<D>,
        Option<bool>: Encode<'q, D> + Type<D>,
        Option<String>: Encode<'q, D> + Type<D>,
        Option<Vec<u8>>: Encode<'q, D> + Type<D>,
    {
        self.parameters.into_iter().fold(sqlx::query(self.sql), |query, parameter| match parameter {
            Parameter::Integer(integer) => query.bind(integer),
            Parameter::Bool(value) => query.bind(value),
            Parameter::Text(text) => query.bind(text.map(|text| D::to_storable_text(text.into_owned()))),
            Parameter::Bytes(bytes) => query.bind(bytes.map(Cow::into_owned)),
        })
    }
}

trait SqlDialect: sqlx::Database {
    fn to_storable_text(text: String) -> String;
}

impl SqlDialect for Sqlite {
    fn to_storable_text(text: String) -> String {
        text
    }
}

impl SqlDialect for Postgres {
    /// Replaces U+0000, which PostgreSQL cannot store, with U+2400 (`SYMBOL FOR NULL`).
    fn to_storable_text(text: String) -> String {
        if text.contains('\0') { text.replace('\0', "\u{2400}") } else { text }
    }
}

impl<'e> From<&'e Database> for StatementExecutor<'e> {
    fn from(database: &'e Database) -> Self {
        Self::Pool(database)
    }
}

impl<'e> From<&'e mut Transaction> for StatementExecutor<'e> {
    fn from(transaction: &'e mut Transaction) -> Self {
        Self::Tx(transaction)
    }
}

macro_rules! params {
    ($($value:expr),* $(,)?) => {
        [$($crate::database::Parameter::from($value)),*]
    };
}

pub(crate) use params;

macro_rules! impl_parameter_from {
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

impl_parameter_from! {
    i64 => Integer(value) value;
    &'q i64 => Integer(value) *value;
    u32 => Integer(value) value.into();
    bool => Bool(value) value;
    String => Text(value) value.into();
    &'q String => Text(value) value.into();
    &'q str => Text(value) value.into();
    Vec<u8> => Bytes(value) value.into();
    &'q [u8] => Bytes(value) value.into();
    [u8; 32] => Bytes(value) value.to_vec().into();
    &'q AccessKeyId => Text(value) value.as_str().into();
    &'q DomainId => Text(value) value.as_str().into();
    &'q GroupId => Text(value) value.as_str().into();
    &'q InstanceId => Text(value) value.as_str().into();
    &'q NetworkZone => Text(value) value.as_str().into();
    &'q NodeId => Text(value) value.as_str().into();
    &'q PolicyId => Text(value) value.as_str().into();
    &'q ProjectId => Text(value) value.as_str().into();
    &'q RequestId => Text(value) value.as_str().into();
    &'q UserId => Text(value) value.as_str().into();
}

impl<'q> From<&'q Option<String>> for Parameter<'q> {
    fn from(value: &'q Option<String>) -> Self {
        value.as_ref().into()
    }
}
