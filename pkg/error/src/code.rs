use http::StatusCode;
use tonic::Code as Grpc;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = ($reason:literal, $number:literal, $http:ident, $grpc:ident, $message:literal),)*) => {
        /// Every way in which a call can be refused or fail.
        ///
        /// Numbers continue the contract's scheme (contract.md §1.2): first three digits the domain (100 common,
        /// 101 usercenter, 102 travel, 103 order, 104 payment, 105 mqueue), last three the case.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[$doc])* $name,)*
        }

        impl Code {
            /// All codes.
            pub const ALL: &'static [Code] = &[$(Code::$name),*];

            /// Machine-readable name, such as `DATES_TAKEN`.
            #[must_use]
            pub fn reason(self) -> &'static str {
                match self { $(Code::$name => $reason),* }
            }

            /// The looklook envelope's number.
            #[must_use]
            pub fn number(self) -> i64 {
                match self { $(Code::$name => $number),* }
            }

            /// HTTP status of both faces (the compat switch of the looklook face aside).
            #[must_use]
            pub fn http(self) -> StatusCode {
                match self { $(Code::$name => StatusCode::$http),* }
            }

            /// gRPC status.
            #[must_use]
            pub fn grpc(self) -> Grpc {
                match self { $(Code::$name => Grpc::$grpc),* }
            }

            /// Text for the caller where no better one is known.
            #[must_use]
            pub fn message(self) -> &'static str {
                match self { $(Code::$name => $message),* }
            }

            /// The code with this name.
            #[must_use]
            pub fn from_reason(reason: &str) -> Option<Self> {
                match reason { $($reason => Some(Code::$name),)* _ => None }
            }
        }
    };
}

codes! {
    /// Our failure.
    Internal = ("INTERNAL", 100_001, INTERNAL_SERVER_ERROR, Internal, "服务器开小差啦,稍后再来试一试"),
    /// A field is missing, of the wrong type, or out of bounds.
    InvalidArgument = ("INVALID_ARGUMENT", 100_002, BAD_REQUEST, InvalidArgument, "参数错误"),
    /// No token, or one that is broken, expired or revoked.
    Unauthenticated = ("UNAUTHENTICATED", 100_003, UNAUTHORIZED, Unauthenticated, "token失效，请重新登陆"),
    /// The database refused a statement: our failure.
    Database = ("DATABASE", 100_005, INTERNAL_SERVER_ERROR, Internal, "数据库繁忙,请稍后再试"),
    /// The caller may not do this.
    Forbidden = ("FORBIDDEN", 100_007, FORBIDDEN, PermissionDenied, "not allowed"),
    /// Nothing is known under this name, or it is somebody else's.
    NotFound = ("NOT_FOUND", 100_008, NOT_FOUND, NotFound, "not found"),
    /// Too many calls.
    TooManyRequests = ("TOO_MANY_REQUESTS", 100_009, TOO_MANY_REQUESTS, ResourceExhausted, "too many requests, try again later"),
    /// A server we need does not answer, or we are overloaded.
    Unavailable = ("UNAVAILABLE", 100_010, SERVICE_UNAVAILABLE, Unavailable, "temporarily unavailable, try again later"),
    /// The answer did not come in time; what was asked may still happen.
    Timeout = ("TIMEOUT", 100_011, SERVICE_UNAVAILABLE, DeadlineExceeded, "no answer in time, try again later"),
    /// The route exists, but not with this verb.
    MethodNotAllowed = ("METHOD_NOT_ALLOWED", 100_012, METHOD_NOT_ALLOWED, Unimplemented, "method not allowed"),
    /// The body is longer than the limit.
    BodyTooLarge = ("BODY_TOO_LARGE", 100_013, PAYLOAD_TOO_LARGE, InvalidArgument, "body too large"),
    /// The body is not JSON by its Content-Type.
    UnsupportedMediaType = ("UNSUPPORTED_MEDIA_TYPE", 100_014, UNSUPPORTED_MEDIA_TYPE, InvalidArgument, "send application/json"),
    /// The Idempotency-Key was used with another body.
    IdempotencyKeyReused = ("IDEMPOTENCY_KEY_REUSED", 100_015, UNPROCESSABLE_ENTITY, FailedPrecondition, "this Idempotency-Key was used for another request"),
    /// The Idempotency-Key belongs to an attempt that was given up.
    IdempotencyKeyExpired = ("IDEMPOTENCY_KEY_EXPIRED", 100_016, CONFLICT, FailedPrecondition, "this Idempotency-Key belongs to an attempt that was given up, use a new one"),
    /// No such route.
    RouteNotFound = ("ROUTE_NOT_FOUND", 100_017, NOT_FOUND, Unimplemented, "no such route"),
    /// A server of ours has as many calls in hand as it may; this one was not begun.
    Overloaded = ("OVERLOADED", 100_018, SERVICE_UNAVAILABLE, ResourceExhausted, "overloaded, try again later"),

    /// The mobile number has an account.
    MobileTaken = ("MOBILE_TAKEN", 101_001, CONFLICT, AlreadyExists, "user has been registered"),
    /// Unknown account or wrong password: one answer for both.
    BadCredentials = ("BAD_CREDENTIALS", 101_002, UNAUTHORIZED, Unauthenticated, "账号或密码不正确"),
    /// WeChat refused the code or the data.
    WechatAuthFailed = ("WECHAT_AUTH_FAILED", 101_003, BAD_REQUEST, InvalidArgument, "wechat mini auth fail"),
    /// That WeChat identity, or that account, is bound already.
    WechatBound = ("WECHAT_BOUND", 101_004, CONFLICT, AlreadyExists, "already bound"),
    /// The refresh token is unknown, expired, used or revoked.
    BadRefreshToken = ("BAD_REFRESH_TOKEN", 101_005, UNAUTHORIZED, Unauthenticated, "refresh token is not valid"),
    /// Nobody would be admin any more.
    LastAdmin = ("LAST_ADMIN", 101_006, CONFLICT, FailedPrecondition, "this is the last admin: make another one first"),

    /// No house, or none on sale, has this id.
    HouseNotFound = ("HOUSE_NOT_FOUND", 102_001, NOT_FOUND, NotFound, "homestay no exists"),
    /// The house is off sale, or its shop is closed.
    OffSale = ("OFF_SALE", 102_002, CONFLICT, FailedPrecondition, "this homestay is not on sale"),
    /// A night of the stay is sold.
    DatesTaken = ("DATES_TAKEN", 102_003, CONFLICT, FailedPrecondition, "these dates are already taken"),
    /// A night of the stay is outside the open calendar, or blocked.
    DatesClosed = ("DATES_CLOSED", 102_004, CONFLICT, FailedPrecondition, "the house is not open on these dates"),
    /// A day of the stay has not enough meals left.
    MealsSoldOut = ("MEALS_SOLD_OUT", 102_005, CONFLICT, FailedPrecondition, "not enough meals left on these dates"),
    /// The price is not the expected one; details hold the new quote.
    PriceChanged = ("PRICE_CHANGED", 102_006, CONFLICT, FailedPrecondition, "the price has changed"),
    /// No such shop.
    ShopNotFound = ("SHOP_NOT_FOUND", 102_007, NOT_FOUND, NotFound, "shop no exists"),

    /// No order of the caller has this number.
    OrderNotFound = ("ORDER_NOT_FOUND", 103_001, NOT_FOUND, NotFound, "order no exists"),
    /// The order's state does not allow this.
    OrderState = ("ORDER_STATE", 103_002, CONFLICT, FailedPrecondition, "the order's state does not allow this"),
    /// The nights held for this booking were given back before the order was written.
    HoldExpired = ("HOLD_EXPIRED", 103_003, CONFLICT, FailedPrecondition, "the booking took too long, try again"),
    /// Not so much goes back as was expected; details hold the new preview.
    RefundChanged = ("REFUND_CHANGED", 103_004, CONFLICT, FailedPrecondition, "the refund is not what was expected"),
    /// Another change of the order is under way.
    ChangeOpen = ("CHANGE_OPEN", 103_005, CONFLICT, FailedPrecondition, "another change of this order is under way"),

    /// No payment of the caller has this number.
    PaymentNotFound = ("PAYMENT_NOT_FOUND", 104_001, NOT_FOUND, NotFound, "payment no exists"),
    /// The order cannot be paid: it is not waiting for payment.
    NotPayable = ("NOT_PAYABLE", 104_002, CONFLICT, FailedPrecondition, "this order cannot be paid"),
    /// Only homestay orders can be paid.
    ServiceType = ("SERVICE_TYPE", 104_003, BAD_REQUEST, InvalidArgument, "Payment for this business type is not supported"),
    /// The callback's signature or timestamp is wrong.
    BadSignature = ("BAD_SIGNATURE", 104_004, UNAUTHORIZED, Unauthenticated, "signature is not valid"),
    /// The callback does not match what is known.
    BadCallback = ("BAD_CALLBACK", 104_005, BAD_REQUEST, InvalidArgument, "callback refused"),
    /// The provider does not answer, or not as it should.
    Provider = ("PROVIDER", 104_006, SERVICE_UNAVAILABLE, Unavailable, "payment provider unavailable, try again later"),
    /// The payment's state does not allow this.
    PaymentState = ("PAYMENT_STATE", 104_007, CONFLICT, FailedPrecondition, "the payment's state does not allow this"),
    /// The provider will not do it, however often it is asked.
    ProviderRefused = ("PROVIDER_REFUSED", 104_020, CONFLICT, FailedPrecondition, "the payment provider refused"),
    /// Who pays by WeChat needs a WeChat identity bound to the account.
    WechatNotBound = ("WECHAT_NOT_BOUND", 104_021, CONFLICT, FailedPrecondition, "no WeChat identity is bound to this account: send a code to /usercenter/v1/user/wxMiniAuth with this token, then pay"),

    /// The refund is more than is left of the payment.
    RefundExceeds = ("REFUND_EXCEEDS", 104_008, CONFLICT, FailedPrecondition, "so much is not left to refund"),
    /// No case has this id.
    CaseNotFound = ("CASE_NOT_FOUND", 104_009, NOT_FOUND, NotFound, "case no exists"),
    /// The case was resolved, by somebody else or otherwise.
    CaseState = ("CASE_STATE", 104_010, CONFLICT, FailedPrecondition, "the case is resolved"),

    /// The job's lease is held by somebody else.
    StaleToken = ("STALE_TOKEN", 105_001, CONFLICT, FailedPrecondition, "stale fencing token"),
}

impl Code {
    /// Whether the same call may succeed later without anybody changing anything.
    #[must_use]
    pub fn is_transient(self) -> bool {
        matches!(
            self,
            Code::Internal
                | Code::Database
                | Code::Unavailable
                | Code::Overloaded
                | Code::Timeout
                | Code::Provider
                | Code::TooManyRequests
        )
    }

    /// Whether it is our failure, to be logged with its cause.
    #[must_use]
    pub fn is_ours(self) -> bool {
        self.http().is_server_error()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn numbers_and_names_are_unique_and_readable_back() {
        let numbers: HashSet<_> = Code::ALL.iter().map(|c| c.number()).collect();
        assert_eq!(numbers.len(), Code::ALL.len());
        for code in Code::ALL {
            assert_eq!(Code::from_reason(code.reason()), Some(*code));
        }
    }
}
