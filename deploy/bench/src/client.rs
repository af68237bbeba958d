//! HTTP/1.1 on kept connections, by hand: what the load generator spends is not there for what it measures.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// No answer takes longer: the servers' own deadline is 3 s.
const PATIENCE: Duration = Duration::from_secs(10);

/// A request that is ready to be written.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    pub verb: &'a str,
    pub path: &'a str,
    pub token: Option<&'a str>,
    /// Media type and text.
    pub body: Option<(&'a str, &'a str)>,
}

impl<'a> Ask<'a> {
    /// A POST of JSON.
    pub fn post(path: &'a str, token: Option<&'a str>, body: &'a str) -> Self {
        Self {
            verb: "POST",
            path,
            token,
            body: Some(("application/json", body)),
        }
    }

    /// A GET.
    pub fn get(path: &'a str, token: Option<&'a str>) -> Self {
        Self {
            verb: "GET",
            path,
            token,
            body: None,
        }
    }
}

/// Kept connections of one worker, one to each address.
#[derive(Default)]
pub struct Client {
    streams: HashMap<SocketAddr, TcpStream>,
    out: Vec<u8>,
    reply: Vec<u8>,
}

impl Client {
    /// Sends a request and reads the whole answer: status and body. A connection that fails is not used again.
    ///
    /// # Errors
    /// A sentence about the connection or an answer that is not understood.
    pub async fn send(&mut self, to: SocketAddr, ask: Ask<'_>) -> Result<(u16, &[u8]), String> {
        let mut stream = match self.streams.remove(&to) {
            Some(stream) => stream,
            None => connect(to).await?,
        };
        self.write(to, ask);
        let exchange = async {
            stream
                .write_all(&self.out)
                .await
                .map_err(|error| format!("{to}: {error}"))?;
            read(&mut stream, &mut self.reply).await
        };
        let head = tokio::time::timeout(PATIENCE, exchange)
            .await
            .map_err(|_| format!("{to}{}: no answer within {} s", ask.path, PATIENCE.as_secs()))??;
        if head.keep {
            self.streams.insert(to, stream);
        }
        Ok((head.status, &self.reply[head.length..]))
    }

    fn write(&mut self, to: SocketAddr, ask: Ask<'_>) {
        let out = &mut self.out;
        out.clear();
        for part in [ask.verb, " ", ask.path, " HTTP/1.1\r\nhost: "] {
            out.extend_from_slice(part.as_bytes());
        }
        out.extend_from_slice(to.to_string().as_bytes());
        if let Some(token) = ask.token {
            out.extend_from_slice(b"\r\nauthorization: Bearer ");
            out.extend_from_slice(token.as_bytes());
        }
        match ask.body {
            Some((kind, body)) => {
                out.extend_from_slice(b"\r\ncontent-type: ");
                out.extend_from_slice(kind.as_bytes());
                out.extend_from_slice(format!("\r\ncontent-length: {}\r\n\r\n", body.len()).as_bytes());
                out.extend_from_slice(body.as_bytes());
            }
            None => out.extend_from_slice(b"\r\n\r\n"),
        }
    }
}

async fn connect(to: SocketAddr) -> Result<TcpStream, String> {
    let stream = TcpStream::connect(to)
        .await
        .map_err(|error| format!("{to}: {error}"))?;
    stream
        .set_nodelay(true)
        .map_err(|error| format!("{to}: {error}"))?;
    Ok(stream)
}

#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    /// Where the body begins.
    length: usize,
    body: usize,
    keep: bool,
}

async fn read(stream: &mut TcpStream, reply: &mut Vec<u8>) -> Result<Head, String> {
    reply.clear();
    let mut head = None;
    loop {
        if head.is_none() {
            head = parse(reply)?;
        }
        if let Some(known) = head.take() {
            if reply.len() >= known.length + known.body {
                return Ok(known);
            }
            head = Some(known);
        }
        let read = stream
            .read_buf(reply)
            .await
            .map_err(|error| format!("the answer broke off: {error}"))?;
        if read == 0 {
            return Err("the connection was closed before the answer".to_owned());
        }
    }
}

/// The head, once it is there whole.
fn parse(reply: &[u8]) -> Result<Option<Head>, String> {
    let Some(end) = reply.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&reply[..end]).map_err(|_| "an answer's head is not text".to_owned())?;
    let mut lines = text.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .and_then(|code| code.parse().ok())
        .ok_or("an answer without a status")?;
    let (mut body, mut keep) = (None, true);
    for line in lines {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        if name.eq_ignore_ascii_case("content-length") {
            body = value.trim().parse().ok();
        } else if name.eq_ignore_ascii_case("connection") {
            keep = !value.trim().eq_ignore_ascii_case("close");
        }
    }
    let body = match (body, status) {
        (Some(body), _) => body,
        (None, 204 | 304) => 0,
        (None, _) => return Err("an answer without a length".to_owned()),
    };
    Ok(Some(Head {
        status,
        length: end + 4,
        body,
        keep,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_once_it_is_whole() {
        let reply = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nconnection: close\r\n\r\n{}";

        assert_eq!(parse(&reply[..30]), Ok(None));
        let whole = Head {
            status: 201,
            length: reply.len() - 2,
            body: 2,
            keep: false,
        };
        assert_eq!(parse(reply), Ok(Some(whole)));
    }
}
