use std::fmt::{Display, Write};

use sqlx::any::AnyArguments;
use sqlx::encode::Encode;
use sqlx::query::Query;
use sqlx::types::Type;
use sqlx::{Any, Arguments, AssertSqlSafe};

use crate::Dialect;

/// Builds statements whose length is known only at run time, such as inserts of several rows.
///
/// As sqlx's own, but for the database at hand: over `Any` that one writes `?`, which Postgres does not read, and `$1` would
/// cost the square of their number in SQLite, which looks each up in the list of all.
pub struct QueryBuilder {
    dialect: Dialect,
    sql: String,
    arguments: AnyArguments,
}

impl std::fmt::Debug for QueryBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QueryBuilder")
            .field("sql", &self.sql)
            .finish_non_exhaustive()
    }
}

impl QueryBuilder {
    /// A statement that begins like this; [`crate::Tx::builder`] and [`crate::Db::builder`] know the dialect.
    #[must_use]
    pub fn new(dialect: Dialect, sql: impl Into<String>) -> Self {
        Self {
            dialect,
            sql: sql.into(),
            arguments: AnyArguments::default(),
        }
    }

    /// Adds text: our own constants only, never input.
    pub fn push(&mut self, sql: impl Display) -> &mut Self {
        let _ = write!(self.sql, "{sql}");
        self
    }

    /// Adds a parameter.
    ///
    /// # Panics
    /// If the value cannot be bound, which numbers, texts and blobs always can.
    pub fn push_bind<'t, T: Encode<'t, Any> + Type<Any>>(&mut self, value: T) -> &mut Self {
        self.arguments
            .add(value)
            .expect("numbers, texts and blobs can be bound");
        let number = self.arguments.len();
        match self.dialect {
            Dialect::Sqlite => self.push('?'),
            Dialect::Postgres => self.push('$').push(number),
        }
    }

    /// What is pushed to the answer is separated by `separator`.
    pub fn separated<S: Display>(&mut self, separator: S) -> Separated<'_, S> {
        Separated {
            builder: self,
            separator,
            begun: false,
        }
    }

    /// Adds `VALUES (…), (…)`, a row for each of `rows`; `fill` pushes its columns.
    pub fn push_values<T>(
        &mut self,
        rows: impl IntoIterator<Item = T>,
        mut fill: impl FnMut(Separated<'_, &'static str>, T),
    ) -> &mut Self {
        self.push("VALUES ");
        for (i, row) in rows.into_iter().enumerate() {
            self.push(if i == 0 { "(" } else { ", (" });
            fill(self.separated(", "), row);
            self.push(")");
        }
        self
    }

    /// The statement with its parameters. The builder is empty afterwards.
    pub fn build(&mut self) -> Query<'static, Any, AnyArguments> {
        let (sql, arguments) = (std::mem::take(&mut self.sql), std::mem::take(&mut self.arguments));
        sqlx::query_with(AssertSqlSafe(sql), arguments)
    }
}

/// Pushes to a [`QueryBuilder`] with a separator between.
#[derive(Debug)]
pub struct Separated<'b, S> {
    builder: &'b mut QueryBuilder,
    separator: S,
    begun: bool,
}

impl<S: Display> Separated<'_, S> {
    fn separate(&mut self) {
        if std::mem::replace(&mut self.begun, true) {
            self.builder.push(&self.separator);
        }
    }

    /// Adds text: our own constants only, never input.
    pub fn push(&mut self, sql: impl Display) -> &mut Self {
        self.separate();
        self.builder.push(sql);
        self
    }

    /// Adds a parameter.
    ///
    /// # Panics
    /// As [`QueryBuilder::push_bind`].
    pub fn push_bind<'t, T: Encode<'t, Any> + Type<Any>>(&mut self, value: T) -> &mut Self {
        self.separate();
        self.builder.push_bind(value);
        self
    }

    /// Adds text without a separator before it.
    pub fn push_unseparated(&mut self, sql: impl Display) -> &mut Self {
        self.builder.push(sql);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_written_as_the_database_reads_them_best() {
        for (dialect, want) in [
            (
                Dialect::Postgres,
                "INSERT INTO t (a, b, c) VALUES ($1, 0, $2), ($3, 0, $4) \
                 ON CONFLICT (a) DO UPDATE SET c = $5 WHERE t.b IN ($6, $7)",
            ),
            (
                Dialect::Sqlite,
                "INSERT INTO t (a, b, c) VALUES (?, 0, ?), (?, 0, ?) \
                 ON CONFLICT (a) DO UPDATE SET c = ? WHERE t.b IN (?, ?)",
            ),
        ] {
            let mut sql = QueryBuilder::new(dialect, "INSERT INTO t (a, b, c) ");
            sql.push_values([(1_i64, "x"), (2, "y")], |mut row, (a, b)| {
                row.push_bind(a).push("0").push_bind(b);
            });
            sql.push(" ON CONFLICT (a) DO UPDATE SET c = ")
                .push_bind(Option::<i64>::None);
            sql.push(" WHERE t.b IN (");
            let mut list = sql.separated(", ");
            for b in ["p".to_owned(), "q".to_owned()] {
                list.push_bind(b);
            }
            list.push_unseparated(")");
            assert_eq!((sql.sql.as_str(), sql.arguments.len()), (want, 7));
        }
    }
}
