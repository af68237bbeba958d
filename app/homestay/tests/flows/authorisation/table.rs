//! The table: a new route is one line of [`ROUTES`], a new method one of [`METHODS`].

/// What a caller gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell {
    /// Not refused for who it is: whatever is neither 401, 403, 404 nor a failure of ours.
    Allowed,
    /// Nobody has signed in, or not as the route wants it.
    Unauthenticated,
    /// Known, and not allowed.
    Forbidden,
    /// What belongs to others looks like what does not exist: the same status and the same body.
    Unknown,
    /// Let in, to what is not there: 404.
    Missing,
    /// Asked for a signature, which nobody here has: 401 or 400, whoever calls.
    Unsigned,
}
pub use Cell::{
    Allowed as A, Forbidden as F, Missing as M, Unauthenticated as U, Unknown as N, Unsigned as S,
};

impl Cell {
    pub fn status(self) -> u16 {
        match self {
            A => 200,
            U => 401,
            F => 403,
            N | M => 404,
            S => 400,
        }
    }
}

/// The callers, in the order of the columns. The order, its payment and so on belong to `guest`, the house to `host`; `former host`
/// is the same account with a token of after its role was taken away; `service` shows on HTTP what a process of ours shows on gRPC.
pub const CALLERS: [&str; 9] = [
    "anonymous",
    "guest",
    "other guest",
    "host",
    "other host",
    "former host",
    "operator",
    "admin",
    "service",
];
pub type Cells = [Cell; 9];

pub const EVERYONE: Cells = [A; 9];
pub const SIGNED_IN: Cells = [U, A, A, A, A, A, A, A, U];
/// Of an order or a payment.
pub const OWNER: Cells = [U, A, N, N, N, N, N, N, U];
pub const OWNER_AND_STAFF: Cells = [U, A, N, N, N, N, A, A, U];
/// Of an order, where the host decides too.
pub const OWNER_HOST_AND_STAFF: Cells = [U, A, N, A, N, N, A, A, U];
/// Of a house.
pub const HOST_AND_STAFF: Cells = [U, N, N, A, N, N, A, A, U];
/// Of something that staff would see.
pub const STAFF_IF_THERE: Cells = [U, F, F, F, F, F, M, M, U];
pub const STAFF: Cells = [U, F, F, F, F, F, A, A, U];
pub const PROVIDER: Cells = [S; 9];

/// A route, and what its callers get.
pub struct Row {
    /// As in the OpenAPI document, or in `.route(…)`.
    pub route: &'static str,
    pub cells: Cells,
    /// Where it is called; `<order>` and the like are those of [`World`].
    pub path: &'static str,
    /// JSON, or a form if it does not begin with a brace.
    pub body: &'static str,
}

pub const fn row(route: &'static str, cells: Cells, path: &'static str, body: &'static str) -> Row {
    Row {
        route,
        cells,
        path,
        body,
    }
}

pub const LOGIN: &str = r#"{"mobile":"13800000001","password":"homestay-demo"}"#;
pub const REGISTRATION: &str = r#"{"mobile":"<mobile>","password":"correct horse"}"#;
pub const PAY: &str = r#"{"orderSn":"<order>"}"#;
pub const STAY: &str = r#"{"homestayId":<house>,"checkIn":"<from>","checkOut":"<to>","guests":1}"#;
/// A night far ahead, which the first of those who may keep it keeps.
pub const BLOCK: &str = r#"{"from":"<block-from>","until":"<block-until>"}"#;
pub const LOOKLOOK_STAY: &str = r#"{"homestayId":<house>,"isFood":false,"liveStartTime":1,"liveEndTime":2,"livePeopleNum":1,"remark":""}"#;

#[rustfmt::skip]
pub const ROUTES: &[Row] = &[
    row("GET /v1/homestays", EVERYONE, "/v1/homestays", ""),
    row("GET /v1/homestays/{id}", EVERYONE, "/v1/homestays/<house>", ""),
    row("GET /v1/homestays/{id}/calendar", EVERYONE, "/v1/homestays/<house>/calendar?from=<from>&to=<to>", ""),
    row("POST /v1/quotes", EVERYONE, "/v1/quotes", STAY),
    row("GET /v1/homestays/{id}/availability", EVERYONE, "/v1/homestays/<house>/availability?checkIn=<from>&checkOut=<to>&guests=1&meals=false&explain=true", ""),
    row("GET /v1/homestays/{id}/rules", HOST_AND_STAFF, "/v1/homestays/<house>/rules", ""),
    row("PUT /v1/homestays/{id}/rules", HOST_AND_STAFF, "/v1/homestays/<house>/rules", "<rules>"),
    row("GET /v1/homestays/{id}/blocks", HOST_AND_STAFF, "/v1/homestays/<house>/blocks", ""),
    row("POST /v1/homestays/{id}/blocks", HOST_AND_STAFF, "/v1/homestays/<house>/blocks", BLOCK),
    row("DELETE /v1/homestays/{id}/blocks/{blockId}", HOST_AND_STAFF, "/v1/homestays/<house>/blocks/<block>", ""),
    row("POST /v1/users", EVERYONE, "/v1/users", REGISTRATION),
    row("GET /v1/users/me", SIGNED_IN, "/v1/users/me", ""),
    // A wrong old password is a bad request of whoever signed in.
    row("PUT /v1/users/me/password", SIGNED_IN, "/v1/users/me/password", r#"{"oldPassword":"wrong","newPassword":"correct horse"}"#),
    row("POST /v1/sessions", EVERYONE, "/v1/sessions", LOGIN),
    // The refresh token is the proof; one that is unknown has nothing to end.
    row("DELETE /v1/sessions", EVERYONE, "/v1/sessions", r#"{"refreshToken":"unknown"}"#),
    row("GET /v1/orders", SIGNED_IN, "/v1/orders", ""),
    row("POST /v1/orders", SIGNED_IN, "/v1/orders", STAY),
    row("GET /v1/orders/{sn}", OWNER_HOST_AND_STAFF, "/v1/orders/<order>", ""),
    row("POST /v1/payments", OWNER, "/v1/payments", PAY),
    row("GET /v1/payments/{sn}", OWNER_AND_STAFF, "/v1/payments/<payment>", ""),
    row("GET /v1/orders/{sn}/cancellation", OWNER_HOST_AND_STAFF, "/v1/orders/<order>/cancellation", ""),
    row("GET /v1/orders/{sn}/changes", OWNER_HOST_AND_STAFF, "/v1/orders/<order>/changes", ""),
    row("GET /v1/orders/{sn}/changes/quote", OWNER, "/v1/orders/<order>/changes/quote?checkIn=<from>&checkOut=<to>&guests=1", ""),
    row("POST /v1/orders/{sn}/changes", OWNER, "/v1/orders/<order>/changes", r#"{"checkIn":"<from>","checkOut":"<to>","guests":1}"#),
    row("POST /v1/orders/{sn}/cancel", OWNER_HOST_AND_STAFF, "/v1/orders/<order>/cancel", "{}"),
    row("GET /v1/jobs", STAFF, "/v1/jobs", ""),
    row("GET /v1/queues", STAFF, "/v1/queues", ""),
    row("GET /v1/cases", STAFF, "/v1/cases", ""),
    row("GET /v1/cases/{id}", STAFF_IF_THERE, "/v1/cases/999999999", ""),
    row("POST /v1/cases/{id}/notes", STAFF_IF_THERE, "/v1/cases/999999999/notes", r#"{"text":"asked the guest"}"#),
    row("POST /v1/cases/{id}/resolve", STAFF_IF_THERE, "/v1/cases/999999999/resolve", r#"{"resolution":"asked the guest"}"#),

    row("POST /usercenter/v1/user/register", EVERYONE, "/usercenter/v1/user/register", REGISTRATION),
    row("POST /usercenter/v1/user/login", EVERYONE, "/usercenter/v1/user/login", LOGIN),
    row("POST /usercenter/v1/user/detail", SIGNED_IN, "/usercenter/v1/user/detail", "{}"),
    row("POST /usercenter/v1/user/wxMiniAuth", EVERYONE, "/usercenter/v1/user/wxMiniAuth", r#"{"code":"","iv":"","encryptedData":""}"#),
    row("POST /travel/v1/homestay/homestayList", EVERYONE, "/travel/v1/homestay/homestayList", "{}"),
    row("POST /travel/v1/homestay/businessList", EVERYONE, "/travel/v1/homestay/businessList", r#"{"homestayBusinessId":<shop>}"#),
    row("POST /travel/v1/homestay/guessList", EVERYONE, "/travel/v1/homestay/guessList", "{}"),
    row("POST /travel/v1/homestay/homestayDetail", EVERYONE, "/travel/v1/homestay/homestayDetail", r#"{"id":<house>}"#),
    row("POST /travel/v1/homestayBussiness/goodBoss", EVERYONE, "/travel/v1/homestayBussiness/goodBoss", "{}"),
    row("POST /travel/v1/homestayBussiness/homestayBussinessList", EVERYONE, "/travel/v1/homestayBussiness/homestayBussinessList", "{}"),
    row("POST /travel/v1/homestayBussiness/homestayBussinessDetail", EVERYONE, "/travel/v1/homestayBussiness/homestayBussinessDetail", r#"{"id":<shop>}"#),
    row("POST /travel/v1/homestayComment/commentList", EVERYONE, "/travel/v1/homestayComment/commentList", "{}"),
    // A stay that is over: past the door, and refused for itself.
    row("POST /order/v1/homestayOrder/createHomestayOrder", SIGNED_IN, "/order/v1/homestayOrder/createHomestayOrder", LOOKLOOK_STAY),
    row("POST /order/v1/homestayOrder/userHomestayOrderList", SIGNED_IN, "/order/v1/homestayOrder/userHomestayOrderList", "{}"),
    row("POST /order/v1/homestayOrder/userHomestayOrderDetail", OWNER_AND_STAFF, "/order/v1/homestayOrder/userHomestayOrderDetail", r#"{"sn":"<order>"}"#),
    row("POST /payment/v1/thirdPayment/thirdPaymentWxPay", OWNER, "/payment/v1/thirdPayment/thirdPaymentWxPay", PAY),
    row("POST /payment/v1/thirdPayment/thirdPaymentWxPayCallback", PROVIDER, "/payment/v1/thirdPayment/thirdPaymentWxPayCallback", "{}"),
    row("POST /v1/payments/callbacks/{provider}", PROVIDER, "/v1/payments/callbacks/sandbox", "{}"),
    row("POST /payment/v1/thirdPayment/sandboxCallback", PROVIDER, "/payment/v1/thirdPayment/sandboxCallback", "{}"),
    // Who has the address of a pay page may use it.
    row("GET /sandbox/pay/{token}", EVERYONE, "/sandbox/pay/<pay>", ""),
    row("POST /sandbox/pay/{token}", EVERYONE, "/sandbox/pay/<pay>", "action=fail"),
    row("GET /sandbox/pay.css", EVERYONE, "/sandbox/pay.css", ""),
];

pub const SERVICES: Cells = [U, F, F, F, F, F, F, F, A];
pub const USERS: Cells = [U, A, A, A, A, A, A, A, F];
pub const USERS_AND_SERVICES: Cells = [U, A, A, A, A, A, A, A, A];
pub const SIGNING_IN: Cells = [A, A, A, A, A, A, A, A, F];
pub const STAFF_ALONE: Cells = [U, F, F, F, F, F, A, A, F];
pub const STAFF_AND_SERVICES: Cells = [U, F, F, F, F, F, A, A, A];
pub const ADMINS_AND_SERVICES: Cells = [U, F, F, F, F, F, F, A, A];

/// Kinds of callers only: whose an order is, its rules know, and the routes above show it.
#[rustfmt::skip]
pub const METHODS: &[(&str, Cells)] = &[
    ("homestay.order.v1.Order/Create", USERS),
    ("homestay.order.v1.Order/Get", USERS_AND_SERVICES),
    ("homestay.order.v1.Order/List", USERS),
    ("homestay.order.v1.Order/Cancel", USERS),
    ("homestay.order.v1.Order/PreviewCancel", USERS),
    ("homestay.order.v1.Order/Change", USERS),
    ("homestay.order.v1.Order/QuoteChange", USERS),
    ("homestay.order.v1.Order/ListChanges", USERS),
    ("homestay.order.v1.Order/Advance", SERVICES),
    ("homestay.order.v1.Order/Sweep", SERVICES),
    ("homestay.order.v1.Order/ResolveHolds", SERVICES),
    ("homestay.order.v1.Order/MarkTold", SERVICES),
    ("homestay.payment.v1.Payment/Create", USERS),
    ("homestay.payment.v1.Payment/Get", USERS_AND_SERVICES),
    ("homestay.payment.v1.Payment/ListForOrder", USERS_AND_SERVICES),
    ("homestay.payment.v1.Payment/CloseForOrder", SERVICES),
    ("homestay.payment.v1.Payment/Refund", SERVICES),
    ("homestay.payment.v1.Payment/ExecuteRefund", SERVICES),
    ("homestay.payment.v1.Payment/Callback", EVERYONE),
    ("homestay.payment.v1.Payment/Sweep", SERVICES),
    ("homestay.payment.v1.Payment/Settle", SERVICES),
    ("homestay.payment.v1.Payment/OpenCase", SERVICES),
    ("homestay.payment.v1.Payment/ListCases", STAFF_ALONE),
    ("homestay.payment.v1.Payment/GetCase", STAFF_ALONE),
    ("homestay.payment.v1.Payment/NoteCase", STAFF_ALONE),
    ("homestay.payment.v1.Payment/ResolveCase", STAFF_ALONE),
    ("homestay.payment.v1.Payment/SandboxPage", EVERYONE),
    ("homestay.payment.v1.Payment/SandboxAct", EVERYONE),
    ("homestay.payment.v1.Payment/SandboxDeliver", SERVICES),
    ("homestay.travel.v1.Travel/GetHouse", EVERYONE),
    ("homestay.travel.v1.Travel/ListHouses", EVERYONE),
    ("homestay.travel.v1.Travel/SearchHouses", EVERYONE),
    ("homestay.travel.v1.Travel/ListShops", EVERYONE),
    ("homestay.travel.v1.Travel/GetShop", EVERYONE),
    ("homestay.travel.v1.Travel/ListGoodHosts", EVERYONE),
    ("homestay.travel.v1.Travel/ListComments", EVERYONE),
    ("homestay.travel.v1.Travel/GetCalendar", EVERYONE),
    ("homestay.travel.v1.Travel/GetQuote", EVERYONE),
    ("homestay.travel.v1.Travel/GetAvailability", EVERYONE),
    ("homestay.travel.v1.Travel/GetRules", USERS_AND_SERVICES),
    ("homestay.travel.v1.Travel/SetRules", USERS_AND_SERVICES),
    ("homestay.travel.v1.Travel/ListBlocks", USERS_AND_SERVICES),
    ("homestay.travel.v1.Travel/CreateBlock", USERS_AND_SERVICES),
    ("homestay.travel.v1.Travel/DeleteBlock", USERS_AND_SERVICES),
    ("homestay.travel.v1.Travel/Hold", SERVICES),
    ("homestay.travel.v1.Travel/Release", SERVICES),
    ("homestay.travel.v1.Travel/SweepHolds", SERVICES),
    ("homestay.travel.v1.Travel/Seed", SERVICES),
    ("homestay.usercenter.v1.UserCenter/Register", SIGNING_IN),
    ("homestay.usercenter.v1.UserCenter/Login", SIGNING_IN),
    ("homestay.usercenter.v1.UserCenter/WxMiniAuth", SIGNING_IN),
    ("homestay.usercenter.v1.UserCenter/Refresh", SIGNING_IN),
    ("homestay.usercenter.v1.UserCenter/Logout", SIGNING_IN),
    ("homestay.usercenter.v1.UserCenter/GetUser", USERS_AND_SERVICES),
    ("homestay.usercenter.v1.UserCenter/GetProfiles", EVERYONE),
    ("homestay.usercenter.v1.UserCenter/Seed", SERVICES),
    ("homestay.usercenter.v1.UserCenter/ChangePassword", USERS),
    ("homestay.usercenter.v1.UserCenter/Grant", ADMINS_AND_SERVICES),
    ("homestay.usercenter.v1.UserCenter/ListByRole", ADMINS_AND_SERVICES),
    ("homestay.mqueue.v1.Mqueue/Enqueue", SERVICES),
    ("homestay.mqueue.v1.Mqueue/Claim", SERVICES),
    ("homestay.mqueue.v1.Mqueue/Finish", SERVICES),
    ("homestay.mqueue.v1.Mqueue/Heartbeat", SERVICES),
    ("homestay.mqueue.v1.Mqueue/Release", SERVICES),
    ("homestay.mqueue.v1.Mqueue/Sweep", SERVICES),
    ("homestay.mqueue.v1.Mqueue/ListJobs", STAFF_AND_SERVICES),
    ("homestay.mqueue.v1.Mqueue/ListQueues", STAFF_AND_SERVICES),
];
