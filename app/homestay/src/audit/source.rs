//! The databases that an audit reads: a snapshot each.

use homestay_db::Snapshot;
use homestay_error::Error;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, Row};

use crate::settings::{Mode, Settings, shown};
use crate::system::reason;
use crate::targets::Domain;

/// Snapshots of the domains that share nights or money.
///
/// Orders first: whatever nights and money an order had then has been written before, and the later snapshots have it too,
/// unless it has been given back meanwhile, which a second look tells.
#[derive(Debug)]
pub struct Sources {
    order: Snapshot,
    travel: Snapshot,
    payment: Snapshot,
}

impl Sources {
    /// # Errors
    /// A sentence naming the database that cannot be read.
    pub async fn open(settings: &Settings) -> Result<Self, String> {
        Ok(Self {
            order: open(settings, Domain::Order).await?,
            travel: open(settings, Domain::Travel).await?,
            payment: open(settings, Domain::Payment).await?,
        })
    }

    fn of(&mut self, domain: Domain) -> &mut Snapshot {
        match domain {
            Domain::Order => &mut self.order,
            Domain::Travel => &mut self.travel,
            _ => &mut self.payment,
        }
    }

    /// All rows of a statement.
    ///
    /// # Errors
    /// A sentence naming the domain.
    pub async fn rows(
        &mut self,
        domain: Domain,
        query: Query<'static, Any, AnyArguments>,
    ) -> Result<Vec<AnyRow>, String> {
        let rows = self.of(domain).rows(query).await;
        rows.map_err(|error| {
            format!(
                "the database of {} cannot be read: {}",
                domain.name(),
                error.chain()
            )
        })
    }

    /// All rows of a statement whose `{}` stands for a list of texts; none if the list is empty.
    ///
    /// # Errors
    /// As [`Sources::rows`].
    pub async fn rows_in(
        &mut self,
        domain: Domain,
        sql: &'static str,
        list: &[String],
    ) -> Result<Vec<AnyRow>, String> {
        if list.is_empty() {
            return Ok(Vec::new());
        }
        let (head, tail) = sql.split_once("{}").expect("a place for the list");
        let mut query = self.of(domain).builder(head);
        query.push("(");
        let mut items = query.separated(", ");
        for item in list {
            items.push_bind(item.clone());
        }
        query.push(")").push(tail);
        let query = query.build();
        self.rows(domain, query).await
    }
}

async fn open(settings: &Settings, domain: Domain) -> Result<Snapshot, String> {
    let (place, opened) = match settings.mode {
        Mode::Embedded => {
            let path = settings.data_dir.join(format!("{}.db", domain.name()));
            (path.display().to_string(), Snapshot::of_sqlite(&path).await)
        }
        Mode::Distributed => {
            let url = settings.databases.of(domain);
            let place = format!("databases.{} ({})", domain.name(), shown(url));
            (place, Snapshot::of_postgres(url.expose()).await)
        }
    };
    opened.map_err(|error| format!("{place} cannot be read: {}", reason(&error)))
}

/// A column of a row.
///
/// # Errors
/// A sentence naming the column.
pub fn column<T>(row: &AnyRow, name: &'static str) -> Result<T, String>
where
    T: for<'r> sqlx::Decode<'r, Any> + sqlx::Type<Any>,
{
    row.try_get(name)
        .map_err(|error| format!("column {name}: {}", Error::from(error).chain()))
}
