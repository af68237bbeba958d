//! Protobuf to domain and back, one short function a call.

use homestay_error::{Code, Error, Result};
use homestay_proto::common::Empty;
use homestay_proto::order as pb;
use homestay_proto::order::order_server::Order as OrderRpc;
use homestay_rpc::{Actor, actor};
use tonic::{Request, Response, Status};

use crate::OrderService;
use crate::change::NewChange;
use crate::create::NewOrder;
use crate::view;

type Reply<T> = Result<Response<T>, Status>;

fn user(actor: &Actor) -> Result<i64> {
    actor.user_id().ok_or_else(|| Error::new(Code::Forbidden))
}

#[tonic::async_trait]
impl OrderRpc for OrderService {
    async fn create(&self, request: Request<pb::CreateRequest>) -> Reply<pb::CreateReply> {
        let actor = actor(&request);
        let new = NewOrder::parse(user(&actor)?, request.into_inner())?;
        let (order, steps) = OrderService::create(self, new).await?;
        let change = self.open_change_of(&order).await?;
        Ok(Response::new(pb::CreateReply {
            order: Some(view::order(order, change.as_ref(), steps, &actor)?),
        }))
    }

    async fn get(&self, request: Request<pb::GetRequest>) -> Reply<pb::OrderView> {
        let actor = actor(&request);
        let r = request.get_ref();
        let (order, steps) = OrderService::get(self, &actor, &r.sn, !r.without_steps).await?;
        let change = self.open_change_of(&order).await?;
        let payment_sns = self.payment_sns(&actor, &order).await?;
        Ok(Response::new(pb::OrderView {
            payment_sns,
            ..view::order(order, change.as_ref(), steps, &actor)?
        }))
    }

    async fn list(&self, request: Request<pb::ListRequest>) -> Reply<pb::ListReply> {
        let actor = actor(&request);
        let user_id = user(&actor)?;
        let r = request.into_inner();
        let found = OrderService::list(self, user_id, r.last_id, r.trade_state, r.limit).await?;
        let mut orders = Vec::with_capacity(found.len());
        for order in found {
            let change = self.open_change_of(&order).await?;
            orders.push(view::order(order, change.as_ref(), Vec::new(), &actor)?);
        }
        Ok(Response::new(pb::ListReply { orders }))
    }

    async fn cancel(&self, request: Request<pb::CancelRequest>) -> Reply<pb::OrderView> {
        let actor = actor(&request);
        let r = request.into_inner();
        OrderService::cancel(self, &actor, &r.sn, &r.reason, r.expected_refund_cents).await?;
        let (order, steps) = OrderService::get(self, &actor, &r.sn, true).await?;
        Ok(Response::new(view::order(order, None, steps, &actor)?))
    }

    async fn advance(&self, request: Request<pb::AdvanceRequest>) -> Reply<pb::AdvanceReply> {
        let state = OrderService::advance(self, &request.get_ref().sn).await?;
        Ok(Response::new(pb::AdvanceReply {
            state: state.name().to_owned(),
        }))
    }

    async fn sweep(&self, _: Request<Empty>) -> Reply<pb::SweepReply> {
        let advanced = OrderService::sweep(self).await?;
        Ok(Response::new(pb::SweepReply { advanced }))
    }

    async fn resolve_holds(&self, request: Request<pb::ResolveHoldsRequest>) -> Reply<pb::ResolveHoldsReply> {
        let verdicts = self.resolve(request.into_inner().holds).await?;
        Ok(Response::new(pb::ResolveHoldsReply { verdicts }))
    }

    async fn preview_cancel(&self, request: Request<pb::PreviewCancelRequest>) -> Reply<pb::CancelPreview> {
        let actor = actor(&request);
        let (order, back) = OrderService::preview_cancel(self, &actor, &request.get_ref().sn).await?;
        Ok(Response::new(view::cancel_preview(order, back)))
    }

    async fn change(&self, request: Request<pb::ChangeRequest>) -> Reply<pb::ChangeReply> {
        let actor = actor(&request);
        let new = NewChange::parse(request.into_inner())?;
        let (change, order) = OrderService::change(self, user(&actor)?, new).await?;
        let sn = order.sn.to_string();
        let shown = view::change(&change, &order.currency);
        let open = self.open_change_of(&order).await?;
        let order = view::order(order, open.as_ref(), self.steps(&sn).await?, &actor)?;
        Ok(Response::new(pb::ChangeReply {
            change: Some(shown),
            order: Some(order),
        }))
    }

    async fn quote_change(&self, request: Request<pb::ChangeRequest>) -> Reply<pb::ChangeView> {
        let user_id = user(&actor(&request))?;
        let new = NewChange::parse(request.into_inner())?;
        let (change, order) = OrderService::quote_change(self, user_id, new).await?;
        Ok(Response::new(pb::ChangeView {
            state: "quote".to_owned(),
            ..view::change(&change, &order.currency)
        }))
    }

    async fn list_changes(&self, request: Request<pb::ListChangesRequest>) -> Reply<pb::ChangeList> {
        let actor = actor(&request);
        let (order, changes) = self.changes(&actor, &request.get_ref().sn).await?;
        let changes = changes
            .iter()
            .map(|change| view::change(change, &order.currency))
            .collect();
        Ok(Response::new(pb::ChangeList { changes }))
    }

    async fn mark_told(&self, request: Request<pb::MarkToldRequest>) -> Reply<Empty> {
        let r = request.into_inner();
        OrderService::mark_told(self, &r.sn, &r.recipient).await?;
        Ok(Response::new(Empty {}))
    }
}
