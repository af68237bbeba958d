//! What is read of orders, and by whom.

use homestay_error::{Code, Error, Result};
use homestay_rpc::Actor;

use crate::OrderService;
use crate::books::Change;
use crate::order::Order;
use crate::rules::State;
use crate::step::Step;
use crate::store;

/// Whether an account may see an order.
fn may_see(actor: &Actor, order: &Order) -> bool {
    actor.may_see(order.user_id) || actor.hosts(order.house.host_id)
}

impl OrderService {
    /// An order, with its steps if they are wanted, for its owner, the host of the house, and who sees all.
    ///
    /// # Errors
    /// [`Code::OrderNotFound`], also for a foreign one.
    pub(crate) async fn get(&self, actor: &Actor, sn: &str, steps: bool) -> Result<(Order, Vec<Step>)> {
        let order = self.order(sn).await?;
        if !may_see(actor, &order) {
            return Err(Error::new(Code::OrderNotFound));
        }
        let steps = if steps { self.steps(sn).await? } else { Vec::new() };
        Ok((order, steps))
    }

    /// The change that is not done with.
    pub(crate) async fn open_change_of(&self, order: &Order) -> Result<Option<Change>> {
        match order.change_attempt {
            0 => Ok(None),
            attempt => store::change::find(self.db.read(), order.sn.as_str(), attempt).await,
        }
    }

    /// Numbers of the payments that pay an order, for services: they tell by them what else has come.
    pub(crate) async fn payment_sns(&self, actor: &Actor, order: &Order) -> Result<Vec<String>> {
        if !matches!(actor, Actor::Service(_)) {
            return Ok(Vec::new());
        }
        let books = store::books::of_order(&self.db, order).await?;
        Ok(books.paying.into_iter().map(|paying| paying.payment_sn).collect())
    }

    /// The changes of an order, for who may see it.
    ///
    /// # Errors
    /// [`Code::OrderNotFound`], also for a foreign one.
    pub(crate) async fn changes(&self, actor: &Actor, sn: &str) -> Result<(Order, Vec<Change>)> {
        let order = self.order(sn).await?;
        if !may_see(actor, &order) {
            return Err(Error::new(Code::OrderNotFound));
        }
        let changes = store::change::of_order(self.db.read(), sn).await?;
        Ok((order, changes))
    }

    /// What happened to an order, in order.
    pub(crate) async fn steps(&self, sn: &str) -> Result<Vec<Step>> {
        store::steps::of_order(self.db.read(), sn).await
    }

    /// A user's orders below `last_id` (0: all), newest first; at most `limit`, which is brought into 1 to 101. A
    /// `trade_state` that is none of the six codes means all.
    pub(crate) async fn list(
        &self,
        user_id: i64,
        last_id: i64,
        trade_state: i64,
        limit: i64,
    ) -> Result<Vec<Order>> {
        let names = State::names_of_outward(trade_state);
        let limit = limit.clamp(1, store::orders::MOST);
        store::orders::of_user(self.db.read(), user_id, last_id, &names, limit).await
    }
}
