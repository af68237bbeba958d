use homestay_proto::common::Empty;
use homestay_proto::usercenter as user_pb;
use homestay_proto::usercenter::user_center_server::UserCenter;
use tonic::{Request, Response, Status};

use super::support::STRANGER;

type Reply<T> = Result<Response<T>, Status>;

/// All but one of whom have come through WeChat.
pub struct FakeUsers;

#[tonic::async_trait]
impl UserCenter for FakeUsers {
    async fn get_user(&self, request: Request<user_pb::GetUserRequest>) -> Reply<user_pb::User> {
        let id = request.into_inner().id;
        Ok(Response::new(user_pb::User {
            id,
            wechat_openid: if id == STRANGER {
                String::new()
            } else {
                format!("openid-{id}")
            },
            ..Default::default()
        }))
    }
    async fn register(&self, _: Request<user_pb::RegisterRequest>) -> Reply<user_pb::Session> {
        unreachable!("not called")
    }
    async fn login(&self, _: Request<user_pb::LoginRequest>) -> Reply<user_pb::Session> {
        unreachable!("not called")
    }
    async fn wx_mini_auth(&self, _: Request<user_pb::WxMiniAuthRequest>) -> Reply<user_pb::Session> {
        unreachable!("not called")
    }
    async fn refresh(&self, _: Request<user_pb::RefreshRequest>) -> Reply<user_pb::Session> {
        unreachable!("not called")
    }
    async fn change_password(&self, _: Request<user_pb::ChangePasswordRequest>) -> Reply<user_pb::Session> {
        unreachable!("not called")
    }
    async fn logout(&self, _: Request<user_pb::LogoutRequest>) -> Reply<Empty> {
        unreachable!("not called")
    }
    async fn get_profiles(&self, _: Request<user_pb::GetProfilesRequest>) -> Reply<user_pb::Profiles> {
        unreachable!("not called")
    }
    async fn seed(&self, _: Request<user_pb::SeedRequest>) -> Reply<user_pb::SeedReply> {
        unreachable!("not called")
    }
    async fn grant(&self, _: Request<user_pb::GrantRequest>) -> Reply<user_pb::GrantReply> {
        unreachable!("not called")
    }
    async fn list_by_role(&self, _: Request<user_pb::ListByRoleRequest>) -> Reply<user_pb::Users> {
        unreachable!("not called")
    }
}
