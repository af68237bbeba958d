use homestay_clock::Clock;
use homestay_db::Db;
use homestay_error::{Code, Error, Result};

use crate::house::{House, Review, Shop};
use crate::store;

/// Which houses a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum List {
    /// All, newest first, below this id if it is not 0.
    Newest(i64),
    /// The operator's list, from this row.
    Recommended(i64),
    /// Of a shop, newest first, below this id if it is not 0.
    Shop(i64, i64),
}

/// A house, on sale or not.
pub(crate) async fn house(db: &Db, id: i64) -> Result<House> {
    store::house::find(db.read(), id)
        .await?
        .ok_or_else(|| Error::new(Code::HouseNotFound))
}

/// On-sale houses.
pub(crate) async fn houses(db: &Db, list: List, limit: usize) -> Result<Vec<House>> {
    match list {
        List::Newest(last_id) => store::list::newest(db, None, last_id, limit).await,
        List::Recommended(offset) => store::list::recommended(db, offset.max(0), limit).await,
        List::Shop(shop, last_id) => store::list::newest(db, Some(shop), last_id, limit).await,
    }
}

/// A shop, open or not.
pub(crate) async fn shop(db: &Db, clock: &Clock, id: i64) -> Result<Shop> {
    store::shop::find(db.read(), id, clock.now_ms())
        .await?
        .ok_or_else(|| Error::new(Code::ShopNotFound))
}

/// Open shops, newest first.
pub(crate) async fn shops(db: &Db, clock: &Clock, last_id: i64, limit: usize) -> Result<Vec<Shop>> {
    store::shop::newest(db, last_id, limit, clock.now_ms()).await
}

/// Accounts of good hosts, the best first.
pub(crate) async fn good_hosts(db: &Db) -> Result<Vec<i64>> {
    store::shop::good_hosts(db.read()).await
}

/// Reviews, newest first.
pub(crate) async fn reviews(db: &Db, house_id: i64, last_id: i64, limit: usize) -> Result<Vec<Review>> {
    store::list::reviews(db, house_id, last_id, limit).await
}
