//! Sums of our own counters, read from admin ports.

use std::net::SocketAddr;

use crate::client::{Ask, Client};

/// The sum of all series of `name` over the processes behind `admins`.
///
/// # Errors
/// A sentence about a port that does not answer.
pub async fn sum(admins: &[SocketAddr], name: &str) -> Result<f64, String> {
    let mut client = Client::default();
    let mut all = 0.0;
    for admin in admins {
        let (status, body) = client.send(*admin, Ask::get("/metrics", None)).await?;
        if status != 200 {
            return Err(format!("{admin}/metrics: {status}"));
        }
        all += of_text(&String::from_utf8_lossy(body), name);
    }
    Ok(all)
}

fn of_text(text: &str, name: &str) -> f64 {
    text.lines()
        .filter(|line| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(['{', ' ']))
        })
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_of_one_name_are_summed_and_no_others() {
        let text = "# HELP calls_total Calls.\ncalls_total{method=\"a\"} 3\ncalls_total{method=\"b c\"} 4\n\
                    calls_total_other 9\ncalls_total 1\n";

        assert!((of_text(text, "calls_total") - 8.0).abs() < f64::EPSILON);
    }
}
