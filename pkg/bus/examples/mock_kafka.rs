//! A stand-in for Kafka where none can be had: librdkafka's mock cluster, for as long as this process lives.
//!
//! `mock_kafka PARTITIONS TOPIC…` makes the topics, prints the bootstrap servers in one line, and then does what standard input
//! says, answering each line with `ok` or with what is wrong: `down` and `up` take the broker away and bring it back,
//! `topic NAME` makes another topic. It runs until a signal; the end of standard input changes nothing.
//!
//! There is no admin API: `homestay migrate` succeeds as all of its topics exist. Nothing survives the process.

use std::io::{BufRead, Write};

use rdkafka::mocking::MockCluster;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: mock_kafka PARTITIONS TOPIC…";
    let partitions: i32 = arguments.next().ok_or(usage)?.parse().map_err(|_| usage)?;
    let cluster = MockCluster::new(1)?;
    for topic in arguments {
        cluster.create_topic(&topic, partitions, 1)?;
    }
    let mut out = std::io::stdout();
    writeln!(out, "{}", cluster.bootstrap_servers())?;
    out.flush()?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let done = match line.split_once(' ').unwrap_or((&line, "")) {
            ("down", "") => cluster.broker_down(-1),
            ("up", "") => cluster.broker_up(-1),
            ("topic", name) if !name.is_empty() => cluster.create_topic(name, partitions, 1),
            _ => {
                writeln!(out, "known are: down, up, topic NAME")?;
                continue;
            }
        };
        match done {
            Ok(()) => writeln!(out, "ok")?,
            Err(error) => writeln!(out, "{error}")?,
        }
        out.flush()?;
    }
    loop {
        std::thread::park();
    }
}
