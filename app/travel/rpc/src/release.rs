use homestay_db::Db;
use homestay_error::Result;

use crate::store;

/// Gives back nights and meals of an order's holds up to `attempt`, or of that one only; what another hold of the order covers
/// too passes to it. What was given back before stays as it is.
pub(crate) async fn release(db: &Db, order_sn: String, attempt: i64, only: bool) -> Result<()> {
    db.write(move |tx| Box::pin(async move { store::release::release(tx, &order_sn, attempt, only).await }))
        .await?;
    Ok(())
}
