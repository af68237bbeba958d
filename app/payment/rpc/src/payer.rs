use homestay_error::{Code, Error, Result};
use homestay_proto::usercenter::GetUserRequest;

use crate::service::PaymentService;

impl PaymentService {
    /// Who a user is at WeChat.
    ///
    /// # Errors
    /// [`Code::WechatNotBound`] if the account has no WeChat identity; those of usercenter-rpc.
    pub(crate) async fn payer(&self, user_id: i64) -> Result<String> {
        let mut users = self
            .users
            .clone()
            .ok_or_else(|| Error::internal("nobody to ask who a payer is at WeChat"))?;
        let user = users.get_user(GetUserRequest { id: user_id }).await?.into_inner();
        if user.wechat_openid.is_empty() {
            return Err(Error::new(Code::WechatNotBound));
        }
        Ok(user.wechat_openid)
    }
}
