use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use homestay_error::{Code, Error};
use homestay_proto::common::Empty;
use homestay_proto::order as order_pb;
use homestay_proto::order::order_server::Order;
use tonic::{Request, Response, Status};

/// Orders by number; a user sees their own.
#[derive(Clone, Default)]
pub struct FakeOrders(pub Arc<Mutex<HashMap<String, order_pb::OrderView>>>);

type Reply<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl Order for FakeOrders {
    async fn get(&self, request: Request<order_pb::GetRequest>) -> Reply<order_pb::OrderView> {
        let actor = homestay_rpc::actor(&request);
        let orders = self.0.lock().unwrap();
        let order = orders
            .get(&request.get_ref().sn)
            .filter(|order| actor.may_see(order.user_id));
        order
            .map(|order| Response::new(order.clone()))
            .ok_or_else(|| Error::new(Code::OrderNotFound).into())
    }
    async fn create(&self, _: Request<order_pb::CreateRequest>) -> Reply<order_pb::CreateReply> {
        unreachable!("not called")
    }
    async fn list(&self, _: Request<order_pb::ListRequest>) -> Reply<order_pb::ListReply> {
        unreachable!("not called")
    }
    async fn cancel(&self, _: Request<order_pb::CancelRequest>) -> Reply<order_pb::OrderView> {
        unreachable!("not called")
    }
    async fn advance(&self, _: Request<order_pb::AdvanceRequest>) -> Reply<order_pb::AdvanceReply> {
        unreachable!("not called")
    }
    async fn sweep(&self, _: Request<Empty>) -> Reply<order_pb::SweepReply> {
        unreachable!("not called")
    }
    async fn resolve_holds(
        &self,
        _: Request<order_pb::ResolveHoldsRequest>,
    ) -> Reply<order_pb::ResolveHoldsReply> {
        unreachable!("not called")
    }
    async fn preview_cancel(
        &self,
        _: Request<order_pb::PreviewCancelRequest>,
    ) -> Reply<order_pb::CancelPreview> {
        unreachable!("nobody asks")
    }
    async fn change(&self, _: Request<order_pb::ChangeRequest>) -> Reply<order_pb::ChangeReply> {
        unreachable!("nobody asks")
    }
    async fn quote_change(&self, _: Request<order_pb::ChangeRequest>) -> Reply<order_pb::ChangeView> {
        unreachable!("nobody asks")
    }
    async fn list_changes(&self, _: Request<order_pb::ListChangesRequest>) -> Reply<order_pb::ChangeList> {
        unreachable!("nobody asks")
    }
    async fn mark_told(&self, _: Request<order_pb::MarkToldRequest>) -> Reply<Empty> {
        unreachable!("not called")
    }
}
