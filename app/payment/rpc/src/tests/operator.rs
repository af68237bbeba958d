//! What an operator and order-rpc do in tests of money.

use homestay_proto::payment as pb;
use tonic::Status;

use super::support::{STAFF, World};

impl World {
    /// Kept money of an order is passed on.
    pub async fn settle(&self, order_sn: &str, cents: i64, key: &str) -> Result<pb::SettleReply, Status> {
        let request = pb::SettleRequest {
            order_sn: order_sn.to_owned(),
            host_id: 3,
            currency: "CNY".to_owned(),
            amount_cents: cents,
            key: key.to_owned(),
        };
        Ok(self.as_service().settle(request).await?.into_inner())
    }

    /// Open cases, oldest first.
    pub async fn cases(&self) -> Vec<pb::Case> {
        let request = pb::ListCasesRequest {
            limit: 100,
            state: "open".to_owned(),
            ..Default::default()
        };
        let reply = self.as_staff(STAFF).list_cases(request).await.unwrap();
        let mut cases = reply.into_inner().cases;
        cases.reverse();
        cases
    }

    pub async fn resolve(&self, id: i64, action: &str) -> Result<pb::Case, Status> {
        let request = pb::ResolveCaseRequest {
            id,
            resolution: "seen to".to_owned(),
            action: action.to_owned(),
            ..Default::default()
        };
        Ok(self.as_staff(STAFF).resolve_case(request).await?.into_inner())
    }

    /// Resolves the oldest open case.
    pub async fn resolve_first(&self, action: &str) -> Result<pb::Case, Status> {
        self.resolve(self.cases().await[0].id, action).await
    }

    /// Resolves all open cases without doing anything.
    pub async fn resolve_all(&self) {
        for case in self.cases().await {
            self.resolve(case.id, "none").await.unwrap();
        }
    }
}
