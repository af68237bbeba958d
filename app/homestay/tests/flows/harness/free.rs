//! Nights that nobody has, and that no other flow is given.

use std::collections::HashSet;
use std::sync::{LazyLock, Mutex, PoisonError};

use serde_json::Value;

use super::{Program, Runs, day, next_day, text};

impl Program {
    /// Free units of each night of a stay.
    pub async fn free(&self, house: i64, from: &str, to: &str) -> Vec<i64> {
        let (status, calendar) = self
            .get(
                &format!("/v1/homestays/{house}/calendar?from={from}&to={to}"),
                None,
            )
            .await;
        assert_eq!(status, 200, "{calendar}");
        let days = calendar["days"].as_array().expect("days");
        days.iter()
            .map(|day| day["freeUnits"].as_i64().expect("a number"))
            .collect()
    }

    /// A house with exactly one unit that is open and free for `nights` nights somewhere ahead, and that no other flow is
    /// given: its id, from, to.
    pub async fn single_unit(&self, nights: usize) -> (i64, String, String) {
        self.single_unit_or_none(nights)
            .await
            .expect("a free house with one unit")
    }

    /// As [`Program::single_unit`]; `None` also when the program has ended.
    pub async fn single_unit_or_none(&self, nights: usize) -> Option<(i64, String, String)> {
        let read = async |path: String| {
            let answer = self.http.get(format!("{}{path}", self.base)).send().await.ok()?;
            answer.json::<Value>().await.ok()
        };
        let page = read("/v1/homestays?limit=100".to_owned()).await?;
        for house in page["homestays"]
            .as_array()?
            .iter()
            .filter(|house| house["units"] == 1)
        {
            let id = house["id"].as_i64()?;
            let calendar = read(format!(
                "/v1/homestays/{id}/calendar?from={}&to={}",
                day(60),
                day(160)
            ))
            .await?;
            let days = calendar["days"].as_array()?;
            let run = days.windows(nights).find(|run| {
                run.iter().all(|d| d["open"] == true && d["freeUnits"] == 1) && self.claim(id, run)
            });
            if let Some(run) = run {
                return Some((
                    id,
                    text(&run[0], "date"),
                    next_day(&text(&run[nights - 1], "date")),
                ));
            }
        }
        None
    }
}

/// Nights that flows were given, by system and house: flows that share a fleet must not meet.
static CLAIMED: LazyLock<Mutex<HashSet<(String, i64, String)>>> = LazyLock::new(Mutex::default);

impl Program {
    /// Claims all nights of `run`, or none.
    fn claim(&self, house: i64, run: &[Value]) -> bool {
        if !matches!(self.runs, Runs::Fleet(_)) {
            return true;
        }
        let mut claimed = CLAIMED.lock().unwrap_or_else(PoisonError::into_inner);
        let nights: Vec<_> = run
            .iter()
            .map(|d| (self.base.clone(), house, text(d, "date")))
            .collect();
        let free = nights.iter().all(|night| !claimed.contains(night));
        if free {
            claimed.extend(nights);
        }
        free
    }
}
