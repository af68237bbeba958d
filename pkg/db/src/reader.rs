use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt, TryFutureExt, TryStreamExt};
use sqlx::any::{AnyArguments, AnyQueryResult, AnyRow, AnyStatement, AnyTypeInfo};
use sqlx::{Any, Either, Error, Execute, Executor, SqlStr};

use crate::pool::{Pool, is_broken};
use crate::{Db, Source};

/// Longest read: more than the server allows a statement, so that only a server that vanished meets it.
pub(crate) const LIMIT: Duration = Duration::from_secs(6);

/// Where statements that change nothing are run, each in a transaction of its own.
///
/// On a server a read whose connection turns out to be broken is repeated once on another.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'d>(pub(crate) &'d Db);

type Step = Either<AnyQueryResult, AnyRow>;

impl<'c> Executor<'c> for Reader<'c> {
    type Database = Any;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Step, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Any>,
    {
        match &self.0.source {
            Source::File(pool) => pool.fetch_many(query),
            Source::Server(pool) => all(pool, query)
                .map_ok(|steps| stream::iter(steps).map(Ok))
                .try_flatten_stream()
                .boxed(),
        }
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<AnyRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Any>,
    {
        match &self.0.source {
            Source::File(pool) => pool.fetch_optional(query),
            Source::Server(pool) => all(pool, query)
                .map_ok(|steps| steps.into_iter().find_map(Either::right))
                .boxed(),
        }
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        _parameters: &'e [AnyTypeInfo],
    ) -> BoxFuture<'e, Result<AnyStatement, Error>>
    where
        'c: 'e,
    {
        // Whatever is run is prepared, and kept so by its text.
        let refused = format!("nothing is prepared ahead: {}", sql.as_str());
        std::future::ready(Err(Error::Configuration(refused.into()))).boxed()
    }
}

/// All rows: those of a read are few, and one that broke off in the middle can be repeated.
async fn all<'q, E: 'q + Execute<'q, Any>>(pool: &Arc<Pool>, mut query: E) -> Result<Vec<Step>, Error> {
    let arguments = query.take_arguments().map_err(Error::Encode)?;
    let sql = query.sql();
    let mut repeated = false;
    loop {
        let mut lease = pool.lease().await?;
        let again = arguments.as_ref().map(copy);
        let asked = lease.fetch_many((sql.clone(), again)).try_collect();
        match tokio::time::timeout(LIMIT, asked).await {
            Ok(Err(error)) if is_broken(&error) => {
                pool.clear();
                if std::mem::replace(&mut repeated, true) {
                    return Err(error);
                }
            }
            Ok(ended) => {
                lease.is_whole();
                return ended;
            }
            Err(_) => {
                pool.clear();
                return Err(Error::PoolTimedOut);
            }
        }
    }
}

fn copy(arguments: &AnyArguments) -> AnyArguments {
    let mut copy = AnyArguments::default();
    copy.values.0.clone_from(&arguments.values.0);
    copy
}
