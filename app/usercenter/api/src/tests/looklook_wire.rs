use super::{call, token};

#[tokio::test]
async fn register_and_login_answer_with_the_token_fields() {
    let answer = call(
        "POST /usercenter/v1/user/register",
        "",
        r#"{"mobile":"13800000001","password":"hunter22","nickname":"小明"}"#,
    );
    assert_eq!(
        answer.await,
        r#"200 {"code":200,"msg":"OK","data":{"accessToken":"LOOKLOOK anonymous 13800000001 hunter22 小明 unknown","accessExpire":1795220100,"refreshAfter":1795219650,"refreshToken":"refresh-2"}}"#
    );
    let answer = call(
        "POST /usercenter/v1/user/login",
        "",
        r#"{"mobile":"13800000001","password":"hunter22"}"#,
    );
    assert_eq!(
        answer.await,
        r#"200 {"code":200,"msg":"OK","data":{"accessToken":"LOOKLOOK anonymous 13800000001 hunter22 unknown","accessExpire":1795220100,"refreshAfter":1795219650,"refreshToken":"refresh-2"}}"#
    );
}

#[tokio::test]
async fn an_expired_token_does_not_stand_in_the_way_of_a_login() {
    for path in ["register", "login"] {
        let route = format!("POST /usercenter/v1/user/{path}");
        let answer = call(
            &route,
            &token(-1),
            r#"{"mobile":"13800000001","password":"hunter22"}"#,
        )
        .await;
        assert!(answer.starts_with("200 "), "{answer}");
    }
}

#[tokio::test]
async fn detail_shows_the_account_of_the_token() {
    for body in ["{}", ""] {
        assert_eq!(
            call("POST /usercenter/v1/user/detail", &token(60), body).await,
            r#"200 {"code":200,"msg":"OK","data":{"userInfo":{"id":7,"mobile":"13800000001","nickname":"小明","sex":1,"avatar":"a.png","info":"hello"}}}"#
        );
    }
    for token in [String::new(), token(0), "x".to_owned()] {
        assert_eq!(
            call("POST /usercenter/v1/user/detail", &token, "{}").await,
            r#"401 {"code":100003,"msg":"token失效，请重新登陆"}"#
        );
    }
}

#[tokio::test]
async fn wechat_signs_in_without_a_token_and_binds_with_one() {
    let body = r#"{"code":"c","iv":"i","encryptedData":"e"}"#;
    let cases = [
        (String::new(), "LOOKLOOK anonymous c i e unknown"),
        (token(60), "LOOKLOOK user/7/host c i e unknown"),
    ];
    for (token, said) in cases {
        let answer = call("POST /usercenter/v1/user/wxMiniAuth", &token, body).await;
        assert_eq!(
            answer,
            format!(
                r#"200 {{"code":200,"msg":"OK","data":{{"accessToken":"{said}","accessExpire":1795220100,"refreshAfter":1795219650,"refreshToken":"refresh-2"}}}}"#
            )
        );
    }
    let expired = call("POST /usercenter/v1/user/wxMiniAuth", &token(-1), body).await;
    assert!(expired.starts_with("401 "), "{expired}");
}

#[tokio::test]
async fn refusals_come_in_the_envelope_with_their_own_status() {
    let cases = [
        (
            "register",
            r#"{"password":"hunter22"}"#,
            r#"400 {"code":100002,"msg":"参数错误 ,field \"mobile\" is not set"}"#,
        ),
        (
            "register",
            r#"{"mobile":13800000001,"password":"hunter22"}"#,
            r#"400 {"code":100002,"msg":"参数错误 ,field \"mobile\" has the wrong type: invalid type: integer `13800000001`, expected a string"}"#,
        ),
        (
            "register",
            r#"{"mobile":"bad","password":"hunter22"}"#,
            r#"400 {"code":100002,"msg":"参数错误 ,mobile must be 11 digits, the first a 1"}"#,
        ),
        (
            "register",
            r#"{"mobile":"taken","password":"hunter22"}"#,
            r#"409 {"code":101001,"msg":"user has been registered"}"#,
        ),
        (
            "login",
            r#"{"mobile":"13800000001","password":"wrong"}"#,
            r#"401 {"code":101002,"msg":"账号或密码不正确"}"#,
        ),
        (
            "login",
            r#"{"mobile":"13800000001","password":"often"}"#,
            r#"429 {"code":100009,"msg":"too many requests, try again later"}"#,
        ),
        (
            "wxMiniAuth",
            r#"{"code":"c","iv":"i"}"#,
            r#"400 {"code":100002,"msg":"参数错误 ,field \"encryptedData\" is not set"}"#,
        ),
        (
            "wxMiniAuth",
            r#"{"code":"bound","iv":"","encryptedData":""}"#,
            r#"409 {"code":101004,"msg":"already bound"}"#,
        ),
    ];
    for (path, body, want) in cases {
        assert_eq!(
            call(&format!("POST /usercenter/v1/user/{path}"), "", body).await,
            want
        );
    }
}
