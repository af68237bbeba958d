use homestay_db::Db;
use homestay_error::Result;

use crate::store;

/// Gives back nights and meals of an order's holds up to `attempt`. What was given back before stays as it is.
pub(crate) async fn release(db: &Db, order_sn: String, attempt: i64) -> Result<()> {
    db.write(move |tx| Box::pin(async move { store::hold::release(tx, &order_sn, attempt).await }))
        .await?;
    Ok(())
}
