//! Protobuf to domain and back, one short function a call.

use homestay_error::{Code, Error, Result};
use homestay_proto::common::Empty;
use homestay_proto::order as pb;
use homestay_proto::order::order_server::Order as OrderRpc;
use homestay_rpc::{Actor, actor};
use homestay_types::date_of_number;
use tonic::{Request, Response, Status};

use crate::OrderService;
use crate::create::NewOrder;
use crate::order::Order;
use crate::rules::State;
use crate::step::Step;

type Reply<T> = Result<Response<T>, Status>;

fn user(actor: &Actor) -> Result<i64> {
    actor.user_id().ok_or_else(|| Error::new(Code::Forbidden))
}

#[tonic::async_trait]
impl OrderRpc for OrderService {
    async fn create(&self, request: Request<pb::CreateRequest>) -> Reply<pb::CreateReply> {
        let user_id = user(&actor(&request))?;
        let new = NewOrder::parse(user_id, request.into_inner())?;
        let (order, steps) = OrderService::create(self, new).await?;
        Ok(Response::new(pb::CreateReply {
            order: Some(view(order, steps)?),
        }))
    }

    async fn get(&self, request: Request<pb::GetRequest>) -> Reply<pb::OrderView> {
        let actor = actor(&request);
        let r = request.get_ref();
        let (order, steps) = OrderService::get(self, &actor, &r.sn, !r.without_steps).await?;
        Ok(Response::new(view(order, steps)?))
    }

    async fn list(&self, request: Request<pb::ListRequest>) -> Reply<pb::ListReply> {
        let user_id = user(&actor(&request))?;
        let r = request.into_inner();
        let orders = OrderService::list(self, user_id, r.last_id, r.trade_state, r.limit).await?;
        let orders = orders
            .into_iter()
            .map(|order| view(order, Vec::new()))
            .collect::<Result<_>>()?;
        Ok(Response::new(pb::ListReply { orders }))
    }

    async fn cancel(&self, request: Request<pb::CancelRequest>) -> Reply<pb::OrderView> {
        let user_id = user(&actor(&request))?;
        let r = request.into_inner();
        let order = OrderService::cancel(self, user_id, &r.sn, &r.reason).await?;
        let steps = self.steps(&r.sn).await?;
        Ok(Response::new(view(order, steps)?))
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

    async fn preview_cancel(&self, _: Request<pb::PreviewCancelRequest>) -> Reply<pb::CancelPreview> {
        Err(Status::unimplemented("comes with the changes"))
    }
    async fn change(&self, _: Request<pb::ChangeRequest>) -> Reply<pb::ChangeReply> {
        Err(Status::unimplemented("comes with the changes"))
    }
    async fn quote_change(&self, _: Request<pb::ChangeRequest>) -> Reply<pb::ChangeView> {
        Err(Status::unimplemented("comes with the changes"))
    }
    async fn list_changes(&self, _: Request<pb::ListChangesRequest>) -> Reply<pb::ChangeList> {
        Err(Status::unimplemented("comes with the changes"))
    }
    async fn mark_told(&self, request: Request<pb::MarkToldRequest>) -> Reply<Empty> {
        let r = request.into_inner();
        OrderService::mark_told(self, &r.sn, &r.recipient).await?;
        Ok(Response::new(Empty {}))
    }
}

fn view(order: Order, steps: Vec<Step>) -> Result<pb::OrderView> {
    let (check_in_s, check_out_s) = (
        order.midnight_s(order.check_in_day)?,
        order.midnight_s(order.check_out_day)?,
    );
    let due_cents = match order.state {
        State::AwaitingPayment => order.total_cents,
        _ => 0,
    };
    let house = order.house;
    Ok(pb::OrderView {
        due_cents,
        due_charge: 0,
        due_before_ms: if due_cents == 0 { 0 } else { order.pay_before_ms },
        policy: None,
        check_in_at_ms: 0,
        charged_cents: 0,
        refund_cents: 0,
        kept_cents: 0,
        id: order.id,
        sn: order.sn.into(),
        user_id: order.user_id,
        house_id: house.id,
        shop_id: house.shop_id,
        host_id: house.host_id,
        title: house.title,
        sub_title: house.sub_title,
        cover: house.cover,
        info: house.info,
        people_num: house.people_num,
        row_type: house.row_type,
        meals: order.meals,
        food_info: house.food_info,
        food_cents: house.food_cents,
        price_cents: house.price_cents,
        market_cents: house.market_cents,
        check_in: date_of_number(order.check_in_day).to_string(),
        check_out: date_of_number(order.check_out_day).to_string(),
        check_in_s,
        check_out_s,
        guests: order.guests,
        remark: order.remark,
        currency: order.currency,
        room_cents: order.room_cents,
        meal_cents: order.meal_cents,
        total_cents: order.total_cents,
        lines: order.lines.into_iter().map(Into::into).collect(),
        state: order.state.name().to_owned(),
        cancelled_by: order.state.cancelled_by().to_owned(),
        trade_state: order.state.outward(),
        // It opens no door any more once the money goes back.
        trade_code: if order.state.keeps_nights() {
            order.trade_code
        } else {
            String::new()
        },
        created_at_ms: order.created_at_ms,
        pay_before_ms: order.pay_before_ms,
        paid_at_ms: order.paid_at_ms,
        payment_sn: order.payment_sn,
        pay_type: order.pay_type,
        time_zone: house.time_zone,
        unit: order.unit,
        attempt: order.attempt,
        steps: steps
            .into_iter()
            .map(|step| pb::Step {
                name: step.name,
                started_at_ms: step.started_at_ms,
                ended_at_ms: step.ended_at_ms,
                attempt: step.attempt,
                node: step.node,
                error: step.error,
                undo_started_at_ms: step.undo_started_at_ms,
                undo_ended_at_ms: step.undo_ended_at_ms,
            })
            .collect(),
    })
}
