use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use homestay_proto::payment as pb;
use homestay_proto::payment::payment_client::PaymentClient;
use homestay_rpc::Channel;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::sandbox::HEADER;

/// Hands a callback to the method; status and text of the answer.
pub async fn call_back(
    payment: &mut PaymentClient<Channel>,
    provider: &str,
    signature: Option<String>,
    body: Vec<u8>,
) -> (i32, String) {
    let request = pb::CallbackRequest {
        provider: provider.to_owned(),
        headers: signature
            .into_iter()
            .map(|value| (HEADER.to_owned(), value))
            .collect(),
        body,
    };
    let reply = payment.callback(request).await.unwrap().into_inner();
    (reply.status, String::from_utf8(reply.body).unwrap())
}

/// Takes callbacks over HTTP, one a connection.
pub async fn listen(listener: TcpListener, mut payment: PaymentClient<Channel>, deaf: Arc<AtomicBool>) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = take(stream, &mut payment, &deaf).await;
    }
}

async fn take(
    mut stream: TcpStream,
    payment: &mut PaymentClient<Channel>,
    deaf: &AtomicBool,
) -> std::io::Result<()> {
    let mut read = Vec::new();
    let head_end = loop {
        if let Some(at) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut read).await? == 0 {
            return Ok(());
        }
    };
    let head = String::from_utf8_lossy(&read[..head_end]).into_owned();
    assert!(head.starts_with("POST /payment/v1/thirdPayment/sandboxCallback HTTP/1.1\r\n"));
    let header = |name: &str| {
        head.lines()
            .filter_map(|line| line.split_once(": "))
            .find_map(|(known, value)| known.eq_ignore_ascii_case(name).then(|| value.to_owned()))
    };
    let length: usize = header("content-length").unwrap().parse().unwrap();
    while read.len() < head_end + length {
        stream.read_buf(&mut read).await?;
    }
    let (status, text) = if deaf.load(Ordering::Relaxed) {
        (503, "FAIL".to_owned())
    } else {
        call_back(payment, "sandbox", header(HEADER), read[head_end..].to_vec()).await
    };
    let answer = format!(
        "HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
        text.len()
    );
    stream.write_all(answer.as_bytes()).await
}
