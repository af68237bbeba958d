//! Processes of the distributed mode by themselves: what they lack, what they wait for, and several targets in one.

use crate::harness::fleet::{Ground, engines, until_ready};
use crate::harness::{Program, USUAL, client, stay, text};

#[tokio::test]
async fn an_rpc_target_waits_for_its_migrations_and_says_so() {
    if engines().is_none() {
        return;
    }
    let ground = Ground::new(USUAL).await;
    let admin = ground.admin("travel-rpc");
    let mut process = ground.start(&["travel-rpc"]);
    let http = client();
    let refused = async {
        loop {
            if let Ok(answer) = http.get(format!("{admin}/startupz")).send().await {
                assert_eq!(answer.status(), 503);
                let reason = answer.text().await.unwrap();
                if reason.contains("databases.travel") {
                    return reason;
                }
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    let reason = tokio::time::timeout(crate::harness::PATIENCE, refused)
        .await
        .expect("a reason");
    assert!(!reason.contains("homestay-test"), "{reason}");
    assert!(http.get(format!("{admin}/livez")).send().await.unwrap().status() == 200);

    ground.migrate();
    until_ready(&http, &admin).await;
    process.signal("-TERM");
    assert!(process.ended().await, "ends cleanly");
}

#[tokio::test]
async fn a_target_names_the_setting_it_lacks_and_the_port_that_is_taken() {
    if engines().is_none() {
        return;
    }
    let ground = Ground::new(USUAL).await;
    for (target, variable, named) in [
        ("order-rpc", "HOMESTAY__DATABASES__ORDER", "databases.order"),
        ("order-mq", "HOMESTAY__KAFKA__BROKERS", "kafka.brokers"),
        ("order-api", "HOMESTAY__ENDPOINTS__PAYMENT", "endpoints.payment"),
        ("mqueue-rpc", "HOMESTAY__REDIS__URL", "redis.url"),
    ] {
        for arguments in [&["check-config", target][..], &[target]] {
            let output = ground.command(arguments).env_remove(variable).output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(!output.status.success() && said.contains(named), "{said}");
        }
    }
    let admin = ground.admin("payment-mq");
    let address = admin.strip_prefix("http://").unwrap();
    let _taken = std::net::TcpListener::bind(address).unwrap();
    let output = ground.command(&["payment-mq"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && said.contains(address) && said.contains("HOMESTAY__PORT_OFFSET"),
        "{said}"
    );
}

#[tokio::test]
async fn all_fourteen_targets_run_in_one_process_too() {
    if engines().is_none() {
        return;
    }
    let ground = Ground::new(USUAL).await;
    ground.migrate();
    let mut process = ground.start(&[]);
    until_ready(&client(), &ground.admin("order-api")).await;
    ground.run(&["seed"]);
    let program = Program::at(&ground.api("travel"));
    let free = program.single_unit(1).await;
    let program = Program::at(&ground.api("usercenter"));
    let guest = program.guest().await;
    let program = Program::at(&ground.api("order"));
    let sn = program.booked(&guest, &stay(&free)).await;
    let (_, order) = program.get(&format!("/v1/orders/{sn}"), Some(&guest)).await;
    assert_eq!(text(&order, "state"), "awaiting_payment");
    process.signal("-TERM");
    assert!(process.ended().await, "ends cleanly");
}
